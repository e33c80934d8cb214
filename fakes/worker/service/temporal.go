package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"google.golang.org/grpc"
)

// connection is one client with its workers; a new one is made at each reconnect.
type connection struct {
	client  client.Client
	workers []worker.Worker
}

// engine is the service's side of Temporal: connects, watches its health, reconnects, and starts workflows while it is up.
// One goroutine (run) makes and drops connections; others look at the current one under the lock.
type engine struct {
	*settings
	lines *lines
	store *store
	ready <-chan struct{} // closed when the service is ready for its workers
	fatal func(error)     // the service cannot go on

	mu      sync.Mutex
	current *connection // nil while down
	polling bool
}

var errUnavailable = errors.New("UNAVAILABLE: Temporal workflow engine is unavailable. Please try again later.")

// errWorkers: connected, but the workers could not be started.
type errWorkers struct{ cause error }

func (e errWorkers) Error() string { return e.cause.Error() }

// wait returns false when the service stops first.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func (e *engine) run(ctx context.Context) {
	backoff, attempt := e.backoffFirst, 0
	for ctx.Err() == nil {
		attempt++
		c, err := e.connect(ctx)
		if ctx.Err() != nil {
			e.drop(c)
			return
		}
		if err == nil {
			if attempt == 1 {
				e.lines.info("Initial Temporal connection successful")
			} else {
				e.lines.info("Temporal reconnected successfully (attempt %d)", attempt)
			}
			e.up(ctx, c)
			backoff, attempt = e.backoffFirst, 1 // a next one is a reconnect
			if e.rotations > 0 {
				e.rotate(ctx)
			}
			if !e.watch(ctx) {
				return
			}
			continue
		}
		var refused errWorkers
		if errors.As(err, &refused) && e.workerStart == "fatal" {
			e.lines.error("Failed to start worker: %v", err)
			if e.broken == "warn-only" {
				<-ctx.Done()
				return
			}
			e.fatal(fmt.Errorf("Failed to start worker: %w", err))
			return
		}
		if e.broken == "give-up" {
			e.fatal(err)
			return
		}
		delay := backoff
		if namespaceMissing(err) {
			delay = e.interval // an operator's matter: no back-off
		} else {
			backoff = min(backoff*2, e.backoffMax)
		}
		if attempt == 1 {
			e.lines.warn("Failed initial Temporal connection - will retry automatically: %v", err)
		} else {
			e.lines.warn("Temporal reconnection failed, will retry (attempt %d, backoff %v): %v", attempt, delay, err)
		}
		e.lines.write(lifecycle{Event: "retrying", DelayNS: int64(delay), Detail: err.Error()})
		wait(ctx, delay)
	}
}

// The namespace is not there, or not for us.
func namespaceMissing(err error) bool {
	var missing *serviceerror.NamespaceNotFound
	var notFound *serviceerror.NotFound
	var denied *serviceerror.PermissionDenied
	return errors.As(err, &missing) || errors.As(err, &notFound) || errors.As(err, &denied)
}

// connect makes a client that works in its namespace, and its workers.
func (e *engine) connect(ctx context.Context) (*connection, error) {
	e.lines.event("connecting", "")
	options := client.Options{
		HostPort: e.address, Namespace: e.namespace, Logger: log.Logger(sdkLog{}), WorkerHeartbeatInterval: -1,
		ConnectionOptions: client.ConnectionOptions{
			TLS: e.tls, GetSystemInfoTimeout: e.checkLimit,
			DialOptions: []grpc.DialOption{grpc.WithChainUnaryInterceptor(e.watchPolls)},
		},
	}
	if e.apiKey != "" {
		options.Credentials = client.NewAPIKeyStaticCredentials(e.apiKey)
	}
	made, err := client.DialContext(ctx, options)
	if err != nil {
		return nil, err
	}
	c := &connection{client: made}
	if e.workerStart != "fatal" { // the account's first version left the namespace to the workers
		if err := e.check(ctx, made); err != nil {
			made.Close()
			return nil, err
		}
	}
	e.lines.event("connected", "")
	if e.broken != "workers-first" {
		select {
		case <-e.ready:
		case <-ctx.Done():
			return c, ctx.Err()
		}
	}
	if err := e.startWorkers(c); err != nil {
		e.drop(c)
		return nil, errWorkers{err}
	}
	return c, nil
}

func (e *engine) startWorkers(c *connection) error {
	if e.broken == "no-workers" {
		return nil
	}
	e.mu.Lock()
	e.polling = false
	e.mu.Unlock()
	for range e.workers {
		w := worker.New(c.client, e.queue, worker.Options{
			WorkerStopTimeout: e.grace,
			Interceptors:      []interceptor.WorkerInterceptor{&taskLines{lines: e.lines}},
			OnFatalError:      func(err error) { e.lines.error("worker: %v", err) },
		})
		register(w, &activities{e.lines, e.store}, e.runnerQueue == "")
		if err := w.Start(); err != nil {
			return err
		}
		c.workers = append(c.workers, w)
	}
	e.lines.info("All Temporal workers started (%d)", len(c.workers))
	e.lines.event("started", "")
	return nil
}

// watchPolls tells when the polls of a connection are out.
func (e *engine) watchPolls(ctx context.Context, method string, request, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	if strings.HasSuffix(method, "/PollWorkflowTaskQueue") {
		e.mu.Lock()
		first := !e.polling
		e.polling = true
		e.mu.Unlock()
		if first {
			e.lines.event("polling", "workflow,activity")
		}
	}
	return invoke(ctx, method, request, reply, cc, options...)
}

func (e *engine) up(ctx context.Context, c *connection) {
	e.mu.Lock()
	e.current = c
	e.mu.Unlock()
	e.lines.info("Workflow creators reinjected successfully")
	e.lines.event("healthy", "")
	if e.broken == "forget-pending" {
		return
	}
	for _, x := range e.store.list() {
		if x.Phase == pending {
			e.start(ctx, c, x.ID)
		}
	}
}

// take makes the service down, and hands over what it had.
func (e *engine) take() *connection {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.current
	e.current = nil
	return c
}

func (e *engine) drop(c *connection) {
	if c == nil || e.broken == "leak" {
		return
	}
	for _, w := range c.workers {
		w.Stop()
	}
	c.workers = nil
	c.client.Close()
}

// check is the health check: whether the namespace answers.
func (e *engine) check(ctx context.Context, c client.Client) error {
	ctx, cancel := context.WithTimeout(ctx, e.checkLimit)
	defer cancel()
	begun := time.Now()
	if e.broken == "expensive-check" {
		own, err := client.DialContext(ctx, client.Options{
			HostPort: e.address, Namespace: e.namespace, Logger: log.Logger(sdkLog{}),
			ConnectionOptions: client.ConnectionOptions{TLS: e.tls},
		})
		if err != nil {
			return err
		}
		defer own.Close()
		c = own
	}
	_, err := c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: e.namespace})
	if err != nil {
		return fmt.Errorf("namespace %s: %w", e.namespace, err)
	}
	e.lines.info("Temporal health check took %.3f ms", float64(time.Since(begun).Microseconds())/1000)
	return nil
}

// watch returns when the connection was lost and has been dropped; false: there is nothing more to do.
func (e *engine) watch(ctx context.Context) bool {
	if !e.monitor {
		<-ctx.Done()
		return false
	}
	e.lines.info("Starting Temporal health monitor (every %v)", e.interval)
	for wait(ctx, e.interval) {
		c := e.current
		err := e.check(ctx, c.client)
		if err == nil || ctx.Err() != nil {
			continue
		}
		switch e.broken {
		case "close-client", "no-restart": // it goes on as if it were up
		default:
			c = e.take() // from here on creations are refused
		}
		e.lines.warn("Temporal connection unhealthy, initiating reconnection: %v", err)
		e.lines.event("unhealthy", err.Error())
		switch e.broken {
		case "give-up":
			e.fatal(err)
			return false
		case "close-client":
			c.client.Close()
			<-ctx.Done()
			return false
		case "no-restart":
			e.lines.info("Stopping old workers")
			for _, w := range c.workers {
				w.Stop()
			}
			e.mu.Lock()
			c.workers = nil
			e.mu.Unlock()
			for err != nil && wait(ctx, e.interval) {
				err = e.check(ctx, c.client)
			}
			e.lines.info("Temporal reconnected successfully")
			<-ctx.Done()
			return false
		}
		e.lines.info("Stopping old workers")
		e.drop(c)
		return true
	}
	return false
}

// rotate reconnects again and again, each time telling what the process holds open.
func (e *engine) rotate(ctx context.Context) {
	for n := 1; n <= e.rotations && wait(ctx, e.rotateEvery); n++ {
		e.drop(e.take())
		c, err := e.connect(ctx)
		for err != nil {
			e.lines.warn("rotation %d: %v", n, err)
			if !wait(ctx, e.backoffFirst) {
				return
			}
			c, err = e.connect(ctx)
		}
		e.up(ctx, c)
		e.lines.info("rotation %d: holds %d sockets, %d descriptors, %d threads, %d goroutines", n, count("/proc/self/fd", "socket:"),
			count("/proc/self/fd", ""), count("/proc/self/task", ""), runtime.NumGoroutine())
	}
	e.lines.info("rotations done")
}

// count tells how many entries a folder has; with a prefix, links that point to something of this kind.
func count(folder, prefix string) int {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return -1
	}
	n := 0
	for _, entry := range entries {
		target, _ := os.Readlink(folder + "/" + entry.Name())
		if prefix == "" || strings.HasPrefix(target, prefix) {
			n++
		}
	}
	return n
}

// create is what a user asks for. Returns the phase of the execution, or an error where it was refused.
func (e *engine) create(ctx context.Context, id string) (string, error) {
	if e.broken == "pretend" {
		return completed, e.store.save(execution{ID: id, Phase: completed})
	}
	e.mu.Lock()
	c := e.current
	e.mu.Unlock()
	for c == nil && e.broken == "hang-creates" && wait(ctx, 10*time.Millisecond) {
		e.mu.Lock()
		c = e.current
		e.mu.Unlock()
	}
	if c == nil && e.whileDown == "refuse" && e.broken != "forget-pending" {
		return "", errUnavailable
	}
	if err := e.store.save(execution{ID: id, Phase: pending}); err != nil {
		return "", err
	}
	if c == nil {
		e.lines.warn("Workflow creator not available - %s will remain in PENDING", id)
		return pending, nil
	}
	return e.start(ctx, c, id)
}

// start starts the workflow of an execution that is saved. A failed start is saved before anybody hears of it.
func (e *engine) start(ctx context.Context, c *connection, id string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, e.createLimit)
	defer cancel()
	runner := e.runnerQueue
	_, err := c.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: id, TaskQueue: e.queue, WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
	}, "Execution", executionInput{ID: id, RunnerQueue: runner, Seconds: e.seconds, Attempts: e.attempts})
	var twice *serviceerror.WorkflowExecutionAlreadyStarted
	if err != nil && !errors.As(err, &twice) {
		if saved := e.store.save(execution{ID: id, Phase: failed, Message: "Failed to start: " + err.Error()}); saved != nil {
			err = errors.Join(err, saved)
		}
		e.lines.error("%s is %s: failed to start: %v", id, failed, err)
		return failed, err
	}
	if err := e.store.save(execution{ID: id, Phase: inProgress}); err != nil {
		return "", err
	}
	e.lines.info("%s is %s", id, inProgress)
	return inProgress, nil
}
