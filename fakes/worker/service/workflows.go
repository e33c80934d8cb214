package main

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// As in builtins.cc: long enough for a worker to come back after any outage that scenarios make.
const shortActivityLimit = 30 * time.Second

// As in ground-truth.md's "Slow": what a worker's death costs is one heartbeat time-out.
const heartbeatLimit = 5 * time.Second

type executionInput struct {
	ID          string
	RunnerQueue string
	Seconds     float64
	Attempts    int
}

// An execution: the runner executes it, the service records its end. Each activity names its queue.
func executionWorkflow(ctx workflow.Context, in executionInput) (string, error) {
	options := workflow.ActivityOptions{
		StartToCloseTimeout: time.Duration(in.Seconds*float64(time.Second)) + shortActivityLimit,
		HeartbeatTimeout:    heartbeatLimit,
		TaskQueue:           in.RunnerQueue,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: int32(in.Attempts)},
	}
	var result string
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), "execute", in.ID, in.Seconds).Get(ctx, &result)
	if err != nil {
		return "", err
	}
	options.TaskQueue = ""
	return result, workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), "record", in.ID).Get(ctx, nil)
}

func ping(_ workflow.Context, x any) (any, error) { return x, nil }

func echoWorkflow(ctx workflow.Context, x any) (any, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: shortActivityLimit})
	var result any
	err := workflow.ExecuteActivity(ctx, "echo", x).Get(ctx, &result)
	return result, err
}

func slowWorkflow(ctx workflow.Context, seconds float64) (string, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Duration(seconds*float64(time.Second)) + time.Minute,
		HeartbeatTimeout:    heartbeatLimit,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 5},
	})
	var result string
	err := workflow.ExecuteActivity(ctx, "slow", seconds).Get(ctx, &result)
	return result, err
}

// As in builtins.cc: 1 s apart at first, then twice as long each time.
func flakyWorkflow(attempts int32) func(workflow.Context, int) (int, error) {
	return func(ctx workflow.Context, failures int) (int, error) {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
			StartToCloseTimeout: shortActivityLimit,
			RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, MaximumAttempts: attempts},
		})
		var result int
		err := workflow.ExecuteActivity(ctx, "flaky", failures).Get(ctx, &result)
		return result, err
	}
}

// activities have their side effect at the end of their body, as everywhere in the built-ins.
type activities struct {
	lines *lines
	store *store
}

func (a *activities) echo(ctx context.Context, x any) (any, error) {
	id := activity.GetInfo(ctx).WorkflowExecution.ID
	a.lines.effect("echo/"+id, id)
	return x, nil
}

// Beats several times within one time-out, so that a late one does not cost the attempt.
func beat(ctx context.Context, seconds float64) error {
	end := time.After(time.Duration(seconds * float64(time.Second)))
	every := time.NewTicker(heartbeatLimit / 5)
	defer every.Stop()
	for n := 1; ; n++ {
		activity.RecordHeartbeat(ctx, n)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-end:
			return nil
		case <-every.C:
		}
	}
}

func (a *activities) slow(ctx context.Context, seconds float64) (string, error) {
	if err := beat(ctx, seconds); err != nil {
		return "", err
	}
	id := activity.GetInfo(ctx).WorkflowExecution.ID
	a.lines.effect("slow/"+id, id)
	return "slow done", nil
}

func (a *activities) flaky(ctx context.Context, failures int) (int, error) {
	info := activity.GetInfo(ctx)
	if int(info.Attempt) <= failures {
		return 0, temporal.NewApplicationError(fmt.Sprintf("attempt %d", info.Attempt), "Tired")
	}
	a.lines.effect("flaky/"+info.WorkflowExecution.ID, info.WorkflowExecution.ID)
	return int(info.Attempt), nil
}

func (a *activities) execute(ctx context.Context, id string, seconds float64) (string, error) {
	if seconds > 0 {
		if err := beat(ctx, seconds); err != nil {
			return "", err
		}
	}
	a.lines.effect("execute/"+id, id)
	return "executed " + id, nil
}

func (a *activities) record(_ context.Context, id string) error {
	if err := a.store.save(execution{ID: id, Phase: completed}); err != nil {
		a.lines.error("%s: its end could not be saved: %v", id, err)
		return fmt.Errorf("save %s: %w", id, err)
	}
	a.lines.effect("record/"+id, id)
	a.lines.info("%s is %s", id, completed)
	return nil
}

// register gives a worker what this service implements, and nothing else.
func register(w worker.Worker, a *activities, executes bool) {
	w.RegisterWorkflowWithOptions(executionWorkflow, workflow.RegisterOptions{Name: "Execution"})
	w.RegisterWorkflowWithOptions(ping, workflow.RegisterOptions{Name: "Ping"})
	w.RegisterWorkflowWithOptions(echoWorkflow, workflow.RegisterOptions{Name: "Echo"})
	w.RegisterWorkflowWithOptions(slowWorkflow, workflow.RegisterOptions{Name: "Slow"})
	w.RegisterWorkflowWithOptions(flakyWorkflow(5), workflow.RegisterOptions{Name: "Flaky"})
	w.RegisterWorkflowWithOptions(flakyWorkflow(1), workflow.RegisterOptions{Name: "FlakyOnce"})
	w.RegisterActivityWithOptions(a.record, activity.RegisterOptions{Name: "record"})
	if !executes {
		return
	}
	w.RegisterActivityWithOptions(a.execute, activity.RegisterOptions{Name: "execute"})
	w.RegisterActivityWithOptions(a.echo, activity.RegisterOptions{Name: "echo"})
	w.RegisterActivityWithOptions(a.flaky, activity.RegisterOptions{Name: "flaky"})
	w.RegisterActivityWithOptions(a.slow, activity.RegisterOptions{Name: "slow"})
}

// taskLines tells of each workflow and activity that a worker is given to run.
type taskLines struct {
	interceptor.WorkerInterceptorBase
	lines *lines
}

type activityLines struct {
	interceptor.ActivityInboundInterceptorBase
	lines *lines
}

type workflowLines struct {
	interceptor.WorkflowInboundInterceptorBase
	lines *lines
}

func (t *taskLines) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	i := &activityLines{lines: t.lines}
	i.Next = next
	return i
}

func (t *taskLines) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	i := &workflowLines{lines: t.lines}
	i.Next = next
	return i
}

func (a *activityLines) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	info := activity.GetInfo(ctx)
	a.lines.task("activity", info.ActivityType.Name, info.WorkflowExecution.ID)
	return a.Next.ExecuteActivity(ctx, in)
}

func (w *workflowLines) ExecuteWorkflow(ctx workflow.Context, in *interceptor.ExecuteWorkflowInput) (any, error) {
	if !workflow.IsReplaying(ctx) {
		info := workflow.GetInfo(ctx)
		w.lines.task("workflow", info.WorkflowType.Name, info.WorkflowExecution.ID)
	}
	result, err := w.Next.ExecuteWorkflow(ctx, in)
	if !workflow.IsReplaying(ctx) {
		// Then the reports of all its activities have arrived.
		w.lines.info("workflow %s ends", workflow.GetInfo(ctx).WorkflowExecution.ID)
	}
	return result, err
}
