package main

import (
	"os"
	"path/filepath"
	"testing"
)

func open(t *testing.T, path string, late bool) *store {
	t.Helper()
	s, err := openStore(path, late)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func phases(s *store) string {
	text := ""
	for _, e := range s.list() {
		text += e.ID + "=" + e.Phase + " "
	}
	return text
}

func save(t *testing.T, s *store, id, phase string) {
	t.Helper()
	if err := s.save(execution{ID: id, Phase: phase}); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsSavedIsThereAfterADeath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s := open(t, path, false)
	save(t, s, "b", pending)
	save(t, s, "a", failed)
	save(t, s, "b", inProgress) // no close: the process is gone
	if got := phases(open(t, path, false)); got != "a=FAILED b=IN_PROGRESS " {
		t.Error(got)
	}
}

func TestALateStoreLosesWhatADeathTakes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s := open(t, path, true)
	save(t, s, "a", failed)
	if got := phases(open(t, path, false)); got != "" {
		t.Error(got)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	if got := phases(open(t, path, false)); got != "a=FAILED " {
		t.Error(got)
	}
}

func TestAnEndIsNotTakenBack(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "store"), false)
	save(t, s, "a", completed)
	save(t, s, "a", inProgress)
	if got := phases(s); got != "a=COMPLETED " {
		t.Error(got)
	}
}

func TestATornLastLineIsPassedOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	if err := os.WriteFile(path, []byte("{\"id\":\"a\",\"phase\":\"PENDING\"}\n{\"id\":\"b\",\"pha"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := phases(open(t, path, false)); got != "a=PENDING " {
		t.Error(got)
	}
}

func TestAClosedStoreRefuses(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "store"), false)
	_ = s.close()
	if err := s.save(execution{ID: "a", Phase: completed}); err == nil {
		t.Error("saved")
	}
}

func TestSettingsAreRefusedInWords(t *testing.T) {
	t.Setenv("TEMPORAL_TASK_QUEUE", "")
	if _, err := readSettings(nil); err == nil {
		t.Error("no task queue")
	}
	t.Setenv("TEMPORAL_TASK_QUEUE", "q")
	t.Setenv("TEMPORAL_TLS", "true")
	t.Setenv("TEMPORAL_TLS_CLIENT_CERT_PATH", "c.pem")
	t.Setenv("TEMPORAL_TLS_CLIENT_KEY_PATH", "")
	t.Setenv("TEMPORAL_TLS_KEY", "")
	if _, err := readSettings(nil); err == nil {
		t.Error("a certificate without its key")
	}
	if _, err := readSettings([]string{"-broken", "nonsense"}); err == nil {
		t.Error("an unknown mistake")
	}
}
