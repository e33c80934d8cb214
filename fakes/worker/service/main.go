// squall-service: a small real service with Temporal inside, after two accounts of incidents.md: R's promises of resilience
// (health check, reconnect with back-off, new workers, creations that are refused while Temporal is down) and W's start-up
// (degraded without Temporal, workers after the service is ready, shutdown in reverse order). With -broken it makes one of
// their mistakes.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

const (
	exitAsked       = 0
	exitFatal       = 1
	exitUsage       = 2
	exitCannotStart = 3
)

// One step of the shutdown may take this long on top of the grace.
const stepLimit = 2 * time.Second

type service struct {
	engine  *engine
	lines   *lines
	store   *store
	mu      sync.Mutex
	created int
	calls   sync.WaitGroup // creations under way
}

// create answers one request of a user.
func (s *service) create(ctx context.Context) (execution, error) {
	s.mu.Lock()
	s.created++
	id := fmt.Sprintf("execution-%d", s.created)
	s.mu.Unlock()
	begun := time.Now()
	phase, err := s.engine.create(ctx, id)
	took := float64(time.Since(begun).Microseconds()) / 1000
	if err != nil {
		s.lines.warn("%s refused after %.3f ms: %v", id, took, err)
	} else {
		s.lines.info("%s accepted after %.3f ms: %s", id, took, phase)
	}
	return execution{ID: id, Phase: phase}, err
}

func (s *service) listAll() {
	list := s.store.list()
	s.lines.info("listing of %d executions", len(list))
	for _, e := range list {
		s.lines.info("listed: %s %s %s", e.ID, e.Phase, e.Message)
	}
}

func (s *service) routes() http.Handler {
	answer := func(w http.ResponseWriter, code int, body any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(body)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		s.engine.mu.Lock()
		up := s.engine.current != nil
		s.engine.mu.Unlock()
		answer(w, http.StatusOK, map[string]bool{"temporal": up}) // degraded is not dead
	})
	mux.HandleFunc("GET /executions", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, s.store.list()) })
	mux.HandleFunc("POST /executions", func(w http.ResponseWriter, r *http.Request) {
		made, err := s.create(r.Context())
		switch {
		case errors.Is(err, errUnavailable):
			answer(w, http.StatusServiceUnavailable, map[string]string{"error": err.Error()})
		case err != nil:
			answer(w, http.StatusInternalServerError, map[string]string{"error": err.Error()})
		default:
			answer(w, http.StatusCreated, made)
		}
	})
	return mux
}

// within ends a step of the shutdown that takes too long; it is told, and the next one follows.
func (s *service) within(name string, limit time.Duration, step func()) {
	done := make(chan struct{})
	go func() {
		step()
		close(done)
	}()
	select {
	case <-done:
		s.lines.info("%s", name)
	case <-time.After(limit):
		s.lines.error("%s: not within %v", name, limit)
	}
}

func (s *service) closeStore() { s.within("storage closed", stepLimit, func() { _ = s.store.close() }) }

func run(set *settings) int {
	out := &lines{queue: set.queue}
	s := &service{lines: out}
	opened, err := openStore(set.storage, set.broken == "save-late")
	if err != nil {
		out.event("fatal", "storage: "+err.Error())
		return exitCannotStart
	}
	s.store = opened
	s.created = len(opened.list())
	out.info("storage open with %d executions", s.created)

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ready := make(chan struct{})
	failures := make(chan error, 1)
	s.engine = &engine{settings: set, lines: out, store: opened, ready: ready, fatal: func(err error) { failures <- err }}
	engineDone := make(chan struct{})
	go func() {
		s.engine.run(ctx)
		close(engineDone)
	}()

	listener, err := net.Listen("tcp", set.http)
	if err != nil {
		out.event("fatal", "API: "+err.Error())
		return exitCannotStart
	}
	api := &http.Server{Handler: s.routes(), ReadHeaderTimeout: 5 * time.Second}
	requests := make(chan os.Signal, 16)
	signal.Notify(requests, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTERM, syscall.SIGINT)
	warm := time.After(set.warmUp)
	for {
		select {
		case <-warm:
			go func() { _ = api.Serve(listener) }()
			out.info("API ready on %s", listener.Addr())
			close(ready)
		case err := <-failures:
			out.error("%v", err)
			out.event("fatal", err.Error())
			cancel()
			<-engineDone
			_ = opened.close()
			code := exitFatal
			out.write(lifecycle{Event: "stopped", ExitCode: &code})
			return code
		case request := <-requests:
			switch request {
			case syscall.SIGUSR1:
				s.calls.Add(1)
				go func() {
					defer s.calls.Done()
					_, _ = s.create(ctx)
				}()
			case syscall.SIGUSR2:
				s.listAll()
			default:
				s.stop(api, cancel, engineDone)
				return exitAsked
			}
		}
	}
}

// stop shuts down in the reverse order of the start: workers, API, client, storage.
func (s *service) stop(api *http.Server, cancel context.CancelFunc, engineDone <-chan struct{}) {
	s.lines.event("stopping", "")
	if s.engine.broken == "storage-first" {
		s.closeStore()
	}
	cancel()
	<-engineDone
	c := s.engine.take()
	s.within("workers stopped", s.engine.grace+stepLimit, func() {
		if c != nil {
			for _, w := range c.workers {
				w.Stop()
			}
		}
	})
	s.within("API stopped", stepLimit, func() {
		_ = api.Shutdown(context.Background())
		s.calls.Wait()
	})
	s.within("Temporal client closed", stepLimit, func() {
		if c != nil {
			c.client.Close()
		}
	})
	if s.engine.broken != "storage-first" {
		s.closeStore()
	}
	code := exitAsked
	s.lines.write(lifecycle{Event: "stopped", ExitCode: &code})
}

func main() {
	set, err := readSettings(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "squall-service: %v\n", err)
		(&lines{}).event("fatal", err.Error())
		os.Exit(exitUsage)
	}
	os.Exit(run(set))
}
