// A tour of Temporal through the real Go SDK: each stop prints one line that must be the same on every correct server.
//
//	tour ADDRESS
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

func say(stop string, value any) { fmt.Printf("| %s: %v\n", stop, value) }

type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}

var _ log.Logger = quiet{}

// Activities.

func Echo(_ context.Context, text string) (string, error) { return text, nil }

func FailsTwice(ctx context.Context) (int32, error) {
	attempt := activity.GetInfo(ctx).Attempt
	if attempt < 3 {
		return 0, temporal.NewApplicationError(fmt.Sprintf("attempt %d", attempt), "Tired")
	}
	return attempt, nil
}

func FailsForGood(context.Context) error {
	return temporal.NewNonRetryableApplicationError("never again", "Fatal", nil, "detail")
}

func BeatsUntilCancelled(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
			activity.RecordHeartbeat(ctx, "alive")
		}
	}
}

func ResumesFromHeartbeat(ctx context.Context) (int, error) {
	if activity.GetInfo(ctx).Attempt == 1 {
		activity.RecordHeartbeat(ctx, 7)
		return 0, errors.New("after a heartbeat")
	}
	var mark int
	err := activity.GetHeartbeatDetails(ctx, &mark)
	return mark, err
}

// Workflows.

func options(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 30 * time.Second,
		HeartbeatTimeout:    10 * time.Second,
		WaitForCancellation: true,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: 20 * time.Millisecond, BackoffCoefficient: 1, MaximumAttempts: 3},
	})
}

func Activities(ctx workflow.Context) ([]string, error) {
	ctx = options(ctx)
	var seen []string
	var text string
	err := workflow.ExecuteActivity(ctx, Echo, "hello").Get(ctx, &text)
	seen = append(seen, text, fmt.Sprint(err))
	var attempt, mark int
	err = workflow.ExecuteActivity(ctx, FailsTwice).Get(ctx, &attempt)
	seen = append(seen, fmt.Sprint(attempt, err))
	err = workflow.ExecuteActivity(ctx, ResumesFromHeartbeat).Get(ctx, &mark)
	seen = append(seen, fmt.Sprint(mark, err))
	err = workflow.ExecuteActivity(ctx, FailsForGood).Get(ctx, nil)
	var failed *temporal.ApplicationError
	errors.As(err, &failed)
	seen = append(seen, fmt.Sprint(failed.Type(), failed.NonRetryable(), failed.Message()))

	local := workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{StartToCloseTimeout: 30 * time.Second})
	err = workflow.ExecuteLocalActivity(local, Echo, "local").Get(ctx, &text)
	seen = append(seen, text, fmt.Sprint(err))

	cancellable, cancel := workflow.WithCancel(ctx)
	future := workflow.ExecuteActivity(cancellable, BeatsUntilCancelled)
	_ = workflow.Sleep(ctx, 200*time.Millisecond)
	cancel()
	err = future.Get(ctx, nil)
	seen = append(seen, fmt.Sprint("cancelled ", temporal.IsCanceledError(err)))
	return seen, nil
}

func Child(ctx workflow.Context, how string) (string, error) {
	switch how {
	case "fail":
		return "", temporal.NewApplicationError("child failed", "ChildFailure")
	case "wait":
		return "", workflow.Await(ctx, func() bool { return false })
	}
	return "child " + how, nil
}

func Children(ctx workflow.Context) ([]string, error) {
	var seen []string
	var text string
	err := workflow.ExecuteChildWorkflow(ctx, Child, "fine").Get(ctx, &text)
	seen = append(seen, text, fmt.Sprint(err))
	err = workflow.ExecuteChildWorkflow(ctx, Child, "fail").Get(ctx, nil)
	var failed *temporal.ApplicationError
	errors.As(err, &failed)
	seen = append(seen, failed.Type(), failed.Message())
	cancellable, cancel := workflow.WithCancel(ctx)
	child := workflow.ExecuteChildWorkflow(cancellable, Child, "wait")
	_ = child.GetChildWorkflowExecution().Get(ctx, nil)
	cancel()
	seen = append(seen, fmt.Sprint("cancelled ", temporal.IsCanceledError(child.Get(ctx, nil))))
	return seen, nil
}

func Messages(ctx workflow.Context) ([]string, error) {
	var signals []string
	state := "waiting"
	_ = workflow.SetQueryHandler(ctx, "what", func() (string, error) { return state, nil })
	_ = workflow.SetUpdateHandlerWithOptions(ctx, "set",
		func(ctx workflow.Context, to string) (string, error) {
			_ = workflow.Sleep(ctx, 10*time.Millisecond)
			old := state
			state = to
			return old, nil
		},
		workflow.UpdateHandlerOptions{Validator: func(to string) error {
			if to == "bad" {
				return errors.New("refused")
			}
			return nil
		}})
	channel := workflow.GetSignalChannel(ctx, "add")
	for len(signals) < 2 {
		var text string
		channel.Receive(ctx, &text)
		signals = append(signals, text)
	}
	if err := workflow.Await(ctx, func() bool { return state == "set" && workflow.AllHandlersFinished(ctx) }); err != nil {
		return nil, err
	}
	sort.Strings(signals)
	return append(signals, state), nil
}

func Timers(ctx workflow.Context) (string, error) {
	_ = workflow.Sleep(ctx, 50*time.Millisecond)
	ok, err := workflow.AwaitWithTimeout(ctx, 50*time.Millisecond, func() bool { return false })
	version := workflow.GetVersion(ctx, "a-change", workflow.DefaultVersion, 1)
	return fmt.Sprint(ok, err, version), nil
}

func Counts(ctx workflow.Context, left, done int) (int, error) {
	if left > 0 {
		return 0, workflow.NewContinueAsNewError(ctx, Counts, left-1, done+1)
	}
	return done, nil
}

func Waits(ctx workflow.Context) error {
	err := workflow.Await(ctx, func() bool { return false })
	clean, _ := workflow.NewDisconnectedContext(options(ctx))
	_ = workflow.ExecuteActivity(clean, Echo, "clean-up").Get(clean, nil)
	return err
}

// outcome: the result, or the kind and words of the failure without what differs from run to run.
func outcome(result any, err error) any {
	var execution *temporal.WorkflowExecutionError
	var terminated *temporal.TerminatedError
	var timeout *temporal.TimeoutError
	var rejected *serviceerror.QueryFailed
	switch {
	case err == nil:
		return result
	case temporal.IsCanceledError(err):
		return "cancelled"
	case errors.As(err, &terminated):
		return "terminated"
	case errors.As(err, &timeout):
		return "timed out " + timeout.TimeoutType().String()
	case errors.As(err, &execution):
		return "failed: " + fmt.Sprint(errors.Unwrap(execution))
	case errors.As(err, &rejected):
		return "query failed: " + err.Error()
	}
	return fmt.Sprintf("%T", err)
}

func main() {
	ctx := context.Background()
	nonce := uuid.NewString()[:8]
	queue := nonce + "-queue"
	c, err := client.Dial(client.Options{HostPort: os.Args[1], Logger: quiet{}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	defer c.Close()
	w := worker.New(c, queue, worker.Options{})
	for _, each := range []any{Activities, Child, Children, Messages, Timers, Counts, Waits} {
		w.RegisterWorkflow(each)
	}
	for _, each := range []any{Echo, FailsTwice, FailsForGood, BeatsUntilCancelled, ResumesFromHeartbeat} {
		w.RegisterActivity(each)
	}
	if err := w.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	defer w.Stop()
	wid := func(name string) string { return nonce + "-" + name }
	start := func(name string, what any, args ...any) client.WorkflowRun {
		run, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: wid(name), TaskQueue: queue}, what, args...)
		if err != nil {
			say(name+" start", outcome(nil, err))
		}
		return run
	}
	events := func(name string) string {
		var seen []string
		history := c.GetWorkflowHistory(ctx, wid(name), "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for history.HasNext() {
			event, err := history.Next()
			if err != nil {
				return err.Error()
			}
			seen = append(seen, event.EventType.String())
		}
		return strings.Join(seen, " ")
	}

	var list []string
	var text string
	var number int
	say("activities", outcome(&list, start("activities", Activities).Get(ctx, &list)))
	list = nil
	say("children", outcome(&list, start("children", Children).Get(ctx, &list)))
	run := start("timers", Timers)
	say("timers", outcome(text, run.Get(ctx, &text)))
	say("timers", text)
	say("timers events", events("timers"))
	run = start("counts", Counts, 3, 0)
	err = run.Get(ctx, &number)
	say("continue as new", outcome(number, err))

	list = nil
	run = start("messages", Messages)
	say("signal", c.SignalWorkflow(ctx, wid("messages"), "", "add", "one"))
	update := func(to string) any {
		handle, err := c.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
			WorkflowID: wid("messages"), UpdateName: "set", Args: []any{to}, WaitForStage: client.WorkflowUpdateStageCompleted})
		if err != nil {
			return outcome(nil, err)
		}
		var old string
		err = handle.Get(ctx, &old)
		return outcome(old, err)
	}
	say("update refused", update("bad"))
	say("update", update("set"))
	query := func() any {
		value, err := c.QueryWorkflow(ctx, wid("messages"), "", "what")
		if err != nil {
			return outcome(nil, err)
		}
		var state string
		return outcome(&state, value.Get(&state))
	}
	value := query()
	if p, ok := value.(*string); ok {
		value = *p
	}
	say("query", value)
	_, err = c.QueryWorkflow(ctx, wid("messages"), "", "no such query")
	say("unknown query", outcome(nil, err))
	say("signal", c.SignalWorkflow(ctx, wid("messages"), "", "add", "two"))
	say("messages", outcome(&list, run.Get(ctx, &list)))

	list = nil
	run, err = c.SignalWithStartWorkflow(ctx, wid("sws"), "add", "first",
		client.StartWorkflowOptions{ID: wid("sws"), TaskQueue: queue}, Messages)
	say("signal with start", outcome("started", err))
	operation := c.NewWithStartWorkflowOperation(client.StartWorkflowOptions{
		ID: wid("sws"), TaskQueue: queue, WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING}, Messages)
	handle, err := c.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: operation, UpdateOptions: client.UpdateWorkflowOptions{
			UpdateName: "set", Args: []any{"set"}, WaitForStage: client.WorkflowUpdateStageCompleted}})
	if err == nil {
		err = handle.Get(ctx, &text)
	}
	say("update with start", outcome(text, err))
	_ = c.SignalWorkflow(ctx, wid("sws"), "", "add", "second")
	say("messages", outcome(&list, run.Get(ctx, &list)))

	run = start("waits", Waits)
	say("cancel", c.CancelWorkflow(ctx, wid("waits"), ""))
	say("cancelled", outcome("completed", run.Get(ctx, nil)))
	run = start("waits", Waits)
	say("terminate", c.TerminateWorkflow(ctx, wid("waits"), "", "by the tour"))
	say("terminated", outcome("completed", run.Get(ctx, nil)))
	say("signal when closed", outcome(nil, c.SignalWorkflow(ctx, wid("waits"), "", "add", "x")))
	_, err = c.DescribeWorkflowExecution(ctx, wid("none"), "")
	say("no such workflow", outcome(nil, err))
	run, _ = c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: wid("timeout"), TaskQueue: queue, WorkflowRunTimeout: time.Second}, Waits)
	say("timed out", outcome("completed", run.Get(ctx, nil)))
	run, _ = c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: wid("delayed"), TaskQueue: queue, StartDelay: 200 * time.Millisecond}, Child, "late")
	say("delayed", outcome(&text, run.Get(ctx, &text)) == any(&text))

	schedules(ctx, c, queue, wid)
	say("tour", "done")
}

func schedules(ctx context.Context, c client.Client, queue string, wid func(string) string) {
	create := func() (client.ScheduleHandle, error) {
		return c.ScheduleClient().Create(ctx, client.ScheduleOptions{
			ID:   wid("schedule"),
			Spec: client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: time.Hour}}},
			Action: &client.ScheduleWorkflowAction{
				ID: wid("by-schedule"), Workflow: Child, Args: []any{"scheduled"}, TaskQueue: queue},
			Paused: true, Note: "made by the tour"})
	}
	handle, err := create()
	if err != nil {
		say("schedule", outcome(nil, err))
		return
	}
	_, err = create()
	say("schedule twice", outcome(nil, err))
	say("trigger", handle.Trigger(ctx, client.ScheduleTriggerOptions{Overlap: enums.SCHEDULE_OVERLAP_POLICY_ALLOW_ALL}))
	for range 200 {
		described, err := handle.Describe(ctx)
		if err == nil && described.Info.NumActions == 1 && len(described.Info.RunningWorkflows) == 0 {
			break
		}
		time.Sleep(50 * time.Millisecond) // the schedule's own state comes later than its workflow's end
	}
	described, err := handle.Describe(ctx)
	if err == nil {
		say("schedule", fmt.Sprint(described.Info.NumActions, len(described.Info.RecentActions),
			described.Schedule.State.Paused, described.Schedule.State.Note))
	}
	say("unpause", handle.Unpause(ctx, client.ScheduleUnpauseOptions{Note: "go on"}))
	say("delete", handle.Delete(ctx))
	_, err = handle.Describe(ctx)
	say("deleted", outcome(nil, err))
}
