//! Core's metrics, kept here and rendered as Prometheus text.
//!
//! Core's own Prometheus exporter cannot be had without a listening socket; this meter needs none. Labels ride in
//! `MetricAttributes::NoOp`, the one variant besides Prometheus' that core's worker heartbeats can read labels from.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use temporalio_common::telemetry::metrics::{
    CoreMeter, Counter, CounterBase, Gauge, GaugeBase, GaugeF64, GaugeF64Base, Histogram, HistogramBase,
    HistogramDuration, HistogramDurationBase, HistogramF64, HistogramF64Base, MetricAttributable, MetricAttributes,
    MetricParameters, NewAttributes, UpDownCounter, UpDownCounterBase, default_buckets_for,
};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

#[derive(Debug, Default, Clone)]
struct Value {
    number: f64,
    /// Histograms: observations per bucket (not cumulated) and how many there were.
    buckets: Vec<u64>,
    count: u64,
}

#[derive(Debug)]
struct Family {
    kind: Kind,
    help: String,
    bounds: &'static [f64],
    series: BTreeMap<String, Arc<Mutex<Value>>>,
}

type Families = Arc<Mutex<BTreeMap<String, Family>>>;

/// All metrics of one runtime.
#[derive(Debug, Default)]
pub struct TextMeter {
    families: Families,
}

/// One metric, not yet bound to labels.
struct Instrument {
    families: Families,
    name: String,
}

/// One metric under one set of labels.
struct Series {
    value: Arc<Mutex<Value>>,
    bounds: &'static [f64],
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn labels_of(attributes: &MetricAttributes) -> String {
    let MetricAttributes::NoOp(labels) = attributes else { return String::new() };
    let sorted: BTreeMap<_, _> = labels.iter().collect();
    let mut text = String::new();
    for (key, value) in sorted {
        let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let _ = write!(text, "{}{key}=\"{escaped}\"", if text.is_empty() { "" } else { "," });
    }
    text
}

impl Series {
    fn change(&self, change: impl FnOnce(&mut Value)) {
        change(&mut lock(&self.value));
    }
    fn observe(&self, observed: f64) {
        let bounds = self.bounds;
        self.change(|value| {
            value.buckets.resize(bounds.len(), 0);
            if let Some(bucket) = bounds.iter().position(|bound| observed <= *bound) {
                value.buckets[bucket] += 1;
            }
            value.count += 1;
            value.number += observed;
        });
    }
}

impl Instrument {
    fn series(&self, attributes: &MetricAttributes) -> Result<Series, Box<dyn Error>> {
        let mut families = lock(&self.families);
        let family = families.get_mut(&self.name).ok_or("unknown metric")?;
        let value = family.series.entry(labels_of(attributes)).or_default().clone();
        Ok(Series { value, bounds: family.bounds })
    }
}

macro_rules! instrument {
    ($base:ident, $method:ident, $value:ty, |$series:ident, $given:ident| $body:expr) => {
        impl $base for Series {
            fn $method(&self, $given: $value) {
                let $series = self;
                $body
            }
        }
        impl MetricAttributable<Box<dyn $base>> for Instrument {
            fn with_attributes(&self, attributes: &MetricAttributes) -> Result<Box<dyn $base>, Box<dyn Error>> {
                Ok(Box::new(self.series(attributes)?))
            }
        }
    };
}

instrument!(CounterBase, adds, u64, |series, by| series.change(|value| value.number += by as f64));
instrument!(UpDownCounterBase, adds, i64, |series, by| series.change(|value| value.number += by as f64));
instrument!(GaugeBase, records, u64, |series, to| series.change(|value| value.number = to as f64));
instrument!(GaugeF64Base, records, f64, |series, to| series.change(|value| value.number = to));
instrument!(HistogramBase, records, u64, |series, seen| series.observe(seen as f64));
instrument!(HistogramF64Base, records, f64, |series, seen| series.observe(seen));
// SDKs record durations in milliseconds unless told otherwise.
instrument!(HistogramDurationBase, records, Duration, |series, seen| series.observe(seen.as_millis() as f64));

impl TextMeter {
    fn instrument(&self, params: MetricParameters, kind: Kind) -> Arc<Instrument> {
        let name = params.name.replace('-', "_");
        let bounds: &'static [f64] = match kind {
            Kind::Histogram => default_buckets_for(name.strip_prefix("temporal_").unwrap_or(&name), false),
            _ => &[],
        };
        lock(&self.families).entry(name.clone()).or_insert_with(|| Family {
            kind,
            help: params.description.to_string(),
            bounds,
            series: BTreeMap::new(),
        });
        Arc::new(Instrument { families: self.families.clone(), name })
    }

    /// Everything recorded so far; metrics without a recording are left out.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (name, family) in lock(&self.families).iter().filter(|(_, family)| !family.series.is_empty()) {
            let kind = match family.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram => "histogram",
            };
            if !family.help.is_empty() {
                let _ = writeln!(text, "# HELP {name} {}", family.help.replace('\n', " "));
            }
            let _ = writeln!(text, "# TYPE {name} {kind}");
            for (labels, value) in &family.series {
                let value = lock(value).clone();
                let braced = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
                if family.kind != Kind::Histogram {
                    let _ = writeln!(text, "{name}{braced} {}", value.number);
                    continue;
                }
                let comma = if labels.is_empty() { "" } else { "," };
                let mut below = 0;
                for (bound, count) in family.bounds.iter().zip(&value.buckets) {
                    below += count;
                    let _ = writeln!(text, "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {below}");
                }
                let _ = writeln!(text, "{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {}", value.count);
                let _ = writeln!(text, "{name}_sum{braced} {}", value.number);
                let _ = writeln!(text, "{name}_count{braced} {}", value.count);
            }
        }
        text
    }
}

impl CoreMeter for TextMeter {
    fn new_attributes(&self, attributes: NewAttributes) -> MetricAttributes {
        MetricAttributes::NoOp(Arc::new(attributes.into()))
    }

    fn extend_attributes(&self, existing: MetricAttributes, attributes: NewAttributes) -> MetricAttributes {
        let mut labels = match existing {
            MetricAttributes::NoOp(labels) => Arc::unwrap_or_clone(labels),
            _ => Default::default(),
        };
        for pair in attributes.attributes {
            labels.insert(pair.key, pair.value.to_string());
        }
        MetricAttributes::NoOp(Arc::new(labels))
    }

    fn counter(&self, params: MetricParameters) -> Counter {
        Counter::new(self.instrument(params, Kind::Counter))
    }
    fn histogram(&self, params: MetricParameters) -> Histogram {
        Histogram::new(self.instrument(params, Kind::Histogram))
    }
    fn histogram_f64(&self, params: MetricParameters) -> HistogramF64 {
        HistogramF64::new(self.instrument(params, Kind::Histogram))
    }
    fn histogram_duration(&self, params: MetricParameters) -> HistogramDuration {
        HistogramDuration::new(self.instrument(params, Kind::Histogram))
    }
    fn gauge(&self, params: MetricParameters) -> Gauge {
        Gauge::new(self.instrument(params, Kind::Gauge))
    }
    fn gauge_f64(&self, params: MetricParameters) -> GaugeF64 {
        GaugeF64::new(self.instrument(params, Kind::Gauge))
    }
    fn up_down_counter(&self, params: MetricParameters) -> UpDownCounter {
        UpDownCounter::new(self.instrument(params, Kind::Gauge))
    }
}
