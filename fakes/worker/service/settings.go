package main

import (
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"os"
	"sort"
	"strings"
	"time"

	"go.temporal.io/sdk/client"
)

// What a mistake does; --broken chooses one. docs/incidents.md names the scenarios.
var mistakes = map[string]string{
	"close-client":    "A5: at the first failed check closes the client under its workers, and leaves it at that",
	"expensive-check": "R6: each health check makes a connection of its own",
	"forget-pending":  "W2, R5: what was created while Temporal was down is never started",
	"give-up":         "R3, R4: the first failed check or attempt ends the process",
	"hang-creates":    "R5: creations wait for Temporal instead of being refused",
	"leak":            "R7: old workers and clients are left behind at each reconnect",
	"no-restart":      "R2: reconnects its client and never starts new workers",
	"no-workers":      "W1: nobody starts the workers",
	"pretend":         "W8: the stub of the tests is wired in: executions are COMPLETED without a workflow",
	"save-late":       "W4: states are kept in memory and saved at the end",
	"storage-first":   "W6: shuts down in the wrong order",
	"warn-only":       "W3: a worker that cannot start is a line in the log",
	"workers-first":   "W5: workers start before the service is ready",
}

type settings struct {
	address, namespace, queue, runnerQueue string
	apiKey                                 string
	tls                                    *tls.Config
	storage, http                          string
	workers                                int
	interval, checkLimit                   time.Duration
	backoffFirst, backoffMax               time.Duration
	warmUp, grace, createLimit             time.Duration
	rotateEvery                            time.Duration
	rotations, attempts                    int
	seconds                                float64
	whileDown, workerStart, broken         string
	monitor                                bool
}

func env(names ...string) string {
	for _, name := range names {
		if value := os.Getenv(name); value != "" {
			return value
		}
	}
	return ""
}

func oneOf(name, value string, allowed ...string) error {
	for _, each := range allowed {
		if value == each {
			return nil
		}
	}
	return fmt.Errorf("-%s is '%s': use %s", name, value, strings.Join(allowed, ", "))
}

func readSettings(args []string) (*settings, error) {
	flags := flag.NewFlagSet("squall-service", flag.ContinueOnError)
	flags.Usage = func() { usage(flags) }
	s := &settings{}
	var scale float64
	var names []string
	for name := range mistakes {
		names = append(names, name)
	}
	sort.Strings(names)
	flags.Float64Var(&scale, "interval-scale", 1, "factor on the health interval (15s), its limit (5s, at least 2s) and the back-off (1s doubling to 30s)")
	flags.StringVar(&s.http, "http", "127.0.0.1:0", "where the API listens: GET /healthz, GET /executions, POST /executions")
	flags.StringVar(&s.storage, "storage", "", "file of the executions (default executions.jsonl)")
	flags.StringVar(&s.runnerQueue, "runner-queue", "", "task queue of the runner's activities; unset: this service executes them too")
	flags.IntVar(&s.workers, "workers", 3, "workers at once")
	flags.IntVar(&s.attempts, "attempts", 0, "of each activity of an execution (0: without limit)")
	flags.Float64Var(&s.seconds, "seconds", 0, "how long the activity of an execution takes")
	flags.DurationVar(&s.warmUp, "warm-up", 0, "what the API needs before it is ready")
	flags.DurationVar(&s.grace, "grace", 5*time.Second, "time that running activities get at a stop")
	flags.DurationVar(&s.createLimit, "create-limit", 5*time.Second, "of one start of a workflow")
	flags.IntVar(&s.rotations, "rotations", 0, "reconnect this often, as for new credentials, and tell what is held open")
	flags.DurationVar(&s.rotateEvery, "rotate-every", 50*time.Millisecond, "between these")
	flags.StringVar(&s.whileDown, "while-down", "refuse", "what is created while Temporal is down: refuse, or keep it pending")
	flags.StringVar(&s.workerStart, "worker-start", "retry", "a worker that cannot start: retry, or fatal")
	flags.BoolVar(&s.monitor, "monitor", true, "health monitor; without it the SDK is alone")
	flags.StringVar(&s.broken, "broken", "", "a mistake: "+strings.Join(names, ", "))
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("'%s' is no flag", flags.Arg(0))
	}
	scaled := func(d time.Duration) time.Duration { return time.Duration(float64(d) * scale) }
	s.interval, s.checkLimit = scaled(15*time.Second), max(scaled(5*time.Second), 2*time.Second)
	s.backoffFirst, s.backoffMax = scaled(time.Second), scaled(30*time.Second)

	s.address, s.namespace, s.queue = env("TEMPORAL_ADDRESS"), env("TEMPORAL_NAMESPACE"), env("TEMPORAL_TASK_QUEUE")
	if s.address == "" {
		s.address = client.DefaultHostPort
	}
	if s.namespace == "" {
		s.namespace = client.DefaultNamespace
	}
	if s.queue == "" {
		return nil, fmt.Errorf("TEMPORAL_TASK_QUEUE is not set: name the queue to work on")
	}
	if s.storage == "" {
		s.storage = "executions.jsonl"
	}
	for _, err := range []error{
		oneOf("while-down", s.whileDown, "refuse", "pending"),
		oneOf("worker-start", s.workerStart, "retry", "fatal"),
		oneOf("broken", s.broken, append(names, "")...),
	} {
		if err != nil {
			return nil, err
		}
	}
	s.apiKey = env("TEMPORAL_API_KEY")
	return s, s.readTLS()
}

func (s *settings) readTLS() error {
	if choice := env("TEMPORAL_TLS"); choice != "true" && choice != "1" {
		return nil
	}
	config := &tls.Config{ServerName: env("TEMPORAL_TLS_SERVER_NAME"), MinVersion: tls.VersionTLS12}
	if path := env("TEMPORAL_TLS_SERVER_CA_CERT_PATH"); path != "" {
		pem, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("TEMPORAL_TLS_SERVER_CA_CERT_PATH: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("TEMPORAL_TLS_SERVER_CA_CERT_PATH: '%s' holds no certificate", path)
		}
	}
	certificate, key := env("TEMPORAL_TLS_CLIENT_CERT_PATH", "TEMPORAL_TLS_CERT"), env("TEMPORAL_TLS_CLIENT_KEY_PATH", "TEMPORAL_TLS_KEY")
	if (certificate == "") != (key == "") {
		return fmt.Errorf("TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH: a client certificate needs both")
	}
	if certificate != "" {
		pair, err := tls.LoadX509KeyPair(certificate, key)
		if err != nil {
			return fmt.Errorf("TEMPORAL_TLS_CLIENT_CERT_PATH: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	s.tls = config
	return nil
}

func usage(flags *flag.FlagSet) {
	out := flags.Output()
	fmt.Fprint(out, `A service with Temporal inside: an API that creates executions, a storage, workers, and a monitor that keeps the
connection. Connects as TEMPORAL_ADDRESS, _NAMESPACE, _TASK_QUEUE, _API_KEY, _TLS and _TLS_* say.

`)
	flags.PrintDefaults()
	fmt.Fprint(out, "\nMistakes of --broken:\n")
	var names []string
	for name := range mistakes {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Fprintf(out, "  %-16s %s\n", name, mistakes[name])
	}
	fmt.Fprint(out, `
SIGUSR1 creates an execution, as a user would (execution-1, execution-2, ...); SIGUSR2 lists them all.
SIGTERM, SIGINT: graceful stop: workers, API, client, storage.
Exit codes: 0 stopped as asked; 1 fatal at run time; 2 wrong usage or configuration; 3 could not start.
`)
}
