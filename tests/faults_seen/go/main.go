// A grpc-go client that is told what to call by lines, and answers each with what it saw.
//
// Usage: client CONTROL_PORT ADDRESS SERVER_NAME CA CERTIFICATE KEY (the last four may be empty).
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	common "go.temporal.io/api/common/v1"
	taskqueue "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func security(serverName, ca, certificate, key string) credentials.TransportCredentials {
	if ca == "" {
		return insecure.NewCredentials()
	}
	pem, err := os.ReadFile(ca)
	must(err)
	config := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: serverName}
	config.RootCAs.AppendCertsFromPEM(pem)
	if certificate != "" {
		pair, err := tls.LoadX509KeyPair(certificate, key)
		must(err)
		config.Certificates = []tls.Certificate{pair}
	}
	return credentials.NewTLS(config)
}

func call(client workflowservice.WorkflowServiceClient, bytes, millis int) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(millis)*time.Millisecond)
	defer cancel()
	if bytes == 0 {
		_, err := client.GetSystemInfo(ctx, &workflowservice.GetSystemInfoRequest{})
		return err
	}
	input := make([]byte, bytes)
	rand.Read(input)
	_, err := client.StartWorkflowExecution(ctx, &workflowservice.StartWorkflowExecutionRequest{
		Namespace:    "default",
		WorkflowId:   fmt.Sprintf("w-%x", input[:8]),
		RequestId:    "r",
		WorkflowType: &common.WorkflowType{Name: "Ping"},
		TaskQueue:    &taskqueue.TaskQueue{Name: "q"},
		Input:        &common.Payloads{Payloads: []*common.Payload{{Data: input}}},
	})
	return err
}

func main() {
	port, address, serverName := os.Args[1], os.Args[2], os.Args[3]
	connection, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(security(serverName, os.Args[4], os.Args[5], os.Args[6])),
		grpc.WithDisableRetry(),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{
			BaseDelay: 100 * time.Millisecond, Multiplier: 1.2, MaxDelay: time.Second}}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 2 * time.Second}))
	must(err)
	client := workflowservice.NewWorkflowServiceClient(connection)
	control, err := net.Dial("tcp", "127.0.0.1:"+port)
	must(err)
	lines := bufio.NewScanner(control)
	for lines.Scan() {
		var bytes, millis int
		fmt.Sscanf(lines.Text(), "%d %d", &bytes, &millis)
		seen := "OK"
		if err := call(client, bytes, millis); err != nil {
			s := status.Convert(err)
			seen = s.Code().String() + ": " + strings.ReplaceAll(s.Message(), "\n", " ")
		}
		fmt.Fprintln(control, seen)
	}
}
