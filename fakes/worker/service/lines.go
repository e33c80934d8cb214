package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"
)

// lines writes standard output: log lines for people, and the lifecycle lines of fakes/worker/lifecycle.h (their words and
// keys are those of journal::WorkerEvent, docs/journal.md) for the journal.
type lines struct {
	mu    sync.Mutex
	queue string
}

type lifecycle struct {
	Event      string `json:"squall_event"`
	Pid        int    `json:"pid"`
	TaskQueue  string `json:"task_queue,omitempty"`
	Task       string `json:"task,omitempty"`
	WorkflowID string `json:"workflow_id,omitempty"`
	ExitCode   *int   `json:"exit_code,omitempty"`
	DelayNS    int64  `json:"delay_ns,omitempty"`
	Detail     string `json:"detail,omitempty"`
}

func (l *lines) write(line lifecycle) {
	line.Pid = os.Getpid()
	if line.TaskQueue == "" {
		line.TaskQueue = l.queue
	}
	text, err := json.Marshal(line)
	if err != nil {
		panic(err) // only texts and numbers
	}
	l.print(string(text))
}

func (l *lines) event(word, detail string) { l.write(lifecycle{Event: word, Detail: detail}) }

func (l *lines) task(kind, task, workflow string) {
	l.write(lifecycle{Event: "task", Task: task, WorkflowID: workflow, Detail: kind})
}

func (l *lines) effect(key, workflow string) {
	l.write(lifecycle{Event: "effect", Task: key, WorkflowID: workflow})
}

func (l *lines) log(level, format string, args ...any) {
	l.print(fmt.Sprintf("%s %s ", time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), level) + fmt.Sprintf(format, args...))
}

func (l *lines) info(format string, args ...any)  { l.log("INFO", format, args...) }
func (l *lines) warn(format string, args ...any)  { l.log("WARN", format, args...) }
func (l *lines) error(format string, args ...any) { l.log("ERROR", format, args...) }

// One write for each line, so that lines of several goroutines never mix.
func (l *lines) print(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = os.Stdout.WriteString(text + "\n") // a reader that went away must not end the service
}

// sdkLog shows what the SDK says at WARN and above, on standard error.
type sdkLog struct{}

func (sdkLog) Debug(string, ...any) {}
func (sdkLog) Info(string, ...any)  {}
func (sdkLog) Warn(text string, fields ...any) {
	fmt.Fprintln(os.Stderr, append([]any{"WARN", text}, fields...)...)
}
func (sdkLog) Error(text string, fields ...any) {
	fmt.Fprintln(os.Stderr, append([]any{"ERROR", text}, fields...)...)
}
