// A small program on the Go SDK, without any resilience of its own: what is seen is what the SDK does.
//
//	subject connect            connects once
//	subject worker [OPTIONS]   connects and works on Quick and Slow
//	subject client [-once]     connects, then starts a workflow again and again
//
// Address, namespace, queue and TLS come from the TEMPORAL_* variables. Each thing measured is a JSON line on standard
// output; exit codes: 0 as asked, 1 the worker failed, 3 could not start (python/subject.py).
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// Between a client's calls, and between heartbeats.
const pace = 200 * time.Millisecond

type fields map[string]any

func say(measured string, begun time.Time, err error, more fields) {
	line := fields{"measured": measured}
	for key, value := range more {
		line[key] = value
	}
	if !begun.IsZero() {
		line["seconds"] = time.Since(begun).Seconds()
	}
	if err != nil {
		line["error"] = fmt.Sprintf("%T: %v", err, err)
	}
	text, _ := json.Marshal(line)
	fmt.Println(string(text))
}

func Activity(ctx context.Context) (string, error) {
	say("quick", time.Time{}, nil, fields{"workflow": activity.GetInfo(ctx).WorkflowExecution.ID})
	return "quick done", nil
}

func Beating(ctx context.Context, seconds float64, beats bool) (int32, error) {
	info := activity.GetInfo(ctx)
	about := fields{"attempt": info.Attempt, "workflow": info.WorkflowExecution.ID, "queue": info.TaskQueue}
	say("attempt", time.Time{}, nil, about)
	end := time.After(time.Duration(seconds * float64(time.Second)))
	for {
		if beats {
			activity.RecordHeartbeat(ctx)
		}
		select {
		case <-ctx.Done():
			say("cancelled", time.Time{}, ctx.Err(), about)
			return 0, ctx.Err()
		case <-end:
			say("effect", time.Time{}, nil, about)
			return info.Attempt, nil
		case <-time.After(pace):
		}
	}
}

func Quick(ctx workflow.Context) (result string, err error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: 10 * time.Second})
	return result, workflow.ExecuteActivity(ctx, "quick").Get(ctx, &result)
}

// Slow is an activity of six seconds that tells which attempt it took.
func Slow(ctx workflow.Context) (attempt int32, err error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Minute, HeartbeatTimeout: 5 * time.Second, RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 5}})
	return attempt, workflow.ExecuteActivity(ctx, "slow", 6.0, true).Get(ctx, &attempt)
}

// Away has eight seconds of work done on each of these queues at the same time.
func Away(ctx workflow.Context, queues []string) error {
	var work []workflow.Future
	for _, queue := range queues {
		options := workflow.ActivityOptions{TaskQueue: queue, StartToCloseTimeout: time.Minute, HeartbeatTimeout: 5 * time.Second}
		beats := !strings.Contains(queue, "silent")
		if !beats {
			options.StartToCloseTimeout, options.HeartbeatTimeout = 20*time.Second, 0
		}
		work = append(work, workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), "slow", 8.0, beats))
	}
	for _, each := range work {
		if err := each.Get(ctx, nil); err != nil {
			return err
		}
	}
	return nil
}

func options() (client.Options, error) {
	result := client.Options{
		HostPort: os.Getenv("TEMPORAL_ADDRESS"), Namespace: os.Getenv("TEMPORAL_NAMESPACE"),
		Logger: log.NewStructuredLogger(slog.New(slog.NewTextHandler(os.Stderr, nil)))}
	if os.Getenv("TEMPORAL_TLS") != "true" {
		return result, nil
	}
	config := &tls.Config{ServerName: os.Getenv("TEMPORAL_TLS_SERVER_NAME")}
	if path := os.Getenv("TEMPORAL_TLS_SERVER_CA_CERT_PATH"); path != "" {
		pem, err := os.ReadFile(path)
		if err != nil {
			return result, err
		}
		config.RootCAs = x509.NewCertPool()
		config.RootCAs.AppendCertsFromPEM(pem)
	}
	if path := os.Getenv("TEMPORAL_TLS_CLIENT_CERT_PATH"); path != "" {
		pair, err := tls.LoadX509KeyPair(path, os.Getenv("TEMPORAL_TLS_CLIENT_KEY_PATH"))
		if err != nil {
			return result, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	result.ConnectionOptions.TLS = config
	return result, nil
}

func work(c client.Client, stop time.Duration, queues []string, noWorkflows bool) int {
	begun := time.Now()
	settings := worker.Options{WorkerStopTimeout: stop, DisableWorkflowWorker: noWorkflows,
		OnFatalError: func(err error) { say("fatal", begun, err, nil) }}
	made := func(queue string) worker.Worker {
		w := worker.New(c, queue, settings)
		if !noWorkflows {
			w.RegisterWorkflow(Quick)
			w.RegisterWorkflow(Slow)
			w.RegisterWorkflow(Away)
		}
		w.RegisterActivityWithOptions(Activity, activity.RegisterOptions{Name: "quick"})
		w.RegisterActivityWithOptions(Beating, activity.RegisterOptions{Name: "slow"})
		return w
	}
	closes := make(chan os.Signal, 1)
	signal.Notify(closes, syscall.SIGUSR1)
	go func() {
		<-closes
		c.Close()
		_, err := c.ExecuteWorkflow(context.Background(), client.StartWorkflowOptions{TaskQueue: "nobody"}, "Nobody")
		say("closed", begun, err, nil)
	}()
	interrupt := worker.InterruptCh()
	run := make(chan interface{})
	failed := make(chan error, len(queues))
	for _, queue := range queues {
		w := made(queue)
		if err := w.Start(); err != nil {
			say("worker", begun, err, nil)
			return 1
		}
		go func() {
			<-run
			w.Stop()
			failed <- nil
		}()
	}
	fmt.Println(`{"squall_event":"polling"}`)
	<-interrupt
	close(run)
	for range queues {
		<-failed
	}
	say("worker", begun, nil, nil)
	return 0
}

func call(c client.Client, once bool) int {
	fmt.Println(`{"squall_event":"connected"}`)
	for number := 0; ; number++ {
		begun := time.Now()
		id := fmt.Sprintf("%s-%d", os.Getenv("TEMPORAL_TASK_QUEUE"), number)
		_, err := c.ExecuteWorkflow(context.Background(), client.StartWorkflowOptions{ID: id, TaskQueue: "nobody"}, "Nobody")
		say("call", begun, err, nil)
		if once {
			return 0
		}
		<-time.After(pace)
	}
}

func main() {
	role := os.Args[1]
	flags := flag.NewFlagSet(role, flag.ExitOnError)
	lazy := flags.Bool("lazy", false, "a client that connects with its first call")
	once := flags.Bool("once", false, "one call")
	stop := flags.Duration("stop-timeout", 0, "WorkerStopTimeout")
	queues := flags.String("queues", os.Getenv("TEMPORAL_TASK_QUEUE"), "task queues, with commas between")
	noWorkflows := flags.Bool("activities-only", false, "no workflows")
	_ = flags.Parse(os.Args[2:])
	begun := time.Now()
	settings, err := options()
	var c client.Client
	if err == nil && *lazy {
		c, err = client.NewLazyClient(settings)
	} else if err == nil {
		c, err = client.Dial(settings)
	}
	say("connect", begun, err, nil)
	if err != nil {
		os.Exit(3)
	}
	switch role {
	case "worker":
		os.Exit(work(c, *stop, strings.Split(*queues, ","), *noWorkflows))
	case "client":
		os.Exit(call(c, *once))
	}
}
