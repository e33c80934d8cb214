package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"sort"
	"sync"
)

// Phases of an execution, as the account has them.
const (
	pending    = "PENDING"
	inProgress = "IN_PROGRESS"
	completed  = "COMPLETED"
	failed     = "FAILED"
)

type execution struct {
	ID      string `json:"id"`
	Phase   string `json:"phase"`
	Message string `json:"message,omitempty"`
}

func (e execution) over() bool { return e.Phase == completed || e.Phase == failed }

// store keeps executions in a file of JSON lines, the last line of an id counts. save returns when the line is on the disk: it
// survives the process's death right after.
type store struct {
	mu   sync.Mutex
	file *os.File
	all  map[string]execution
	late bool // broken: kept in memory, written when the store is closed
}

func openStore(path string, late bool) (*store, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	s := &store{file: file, all: map[string]execution{}, late: late}
	scanner := bufio.NewScanner(file)
	for scanner.Scan() {
		var e execution
		if json.Unmarshal(scanner.Bytes(), &e) == nil { // the last line may be torn: its save never returned
			s.all[e.ID] = e
		}
	}
	return s, scanner.Err()
}

var errClosed = errors.New("storage is closed")

// save does not take an execution back from its end.
func (s *store) save(e execution) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return errClosed
	}
	if s.all[e.ID].over() && !e.over() {
		return nil
	}
	s.all[e.ID] = e
	if s.late {
		return nil
	}
	return s.append(e)
}

func (s *store) append(e execution) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if _, err := s.file.Write(append(line, '\n')); err != nil {
		return err
	}
	return s.file.Sync()
}

func (s *store) list() []execution {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]execution, 0, len(s.all))
	for _, e := range s.all {
		list = append(list, e)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].ID < list[j].ID })
	return list
}

func (s *store) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil
	}
	if s.late {
		for _, e := range s.all {
			if err := s.append(e); err != nil {
				return err
			}
		}
	}
	err := s.file.Close()
	s.file = nil
	return err
}
