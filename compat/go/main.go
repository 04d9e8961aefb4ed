// Command go runs two Go clients, franz-go and Sarama, against the broker named by BOOTSTRAP and prints one line per
// check. Every check uses topics and groups of its own, so they run side by side and in any order.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"runtime/debug"
	"sync"
	"time"
)

var bootstrap = os.Getenv("BOOTSTRAP")

const (
	checkLimit = 45 * time.Second // for one check
	atOnce     = 6                // checks at a time; most of their time is spent waiting for the broker
)

type check struct {
	name string
	run  func(ctx context.Context)
}

var checks []check

func add(name string, run func(ctx context.Context)) { checks = append(checks, check{name, run}) }

func main() {
	if bootstrap == "" {
		fmt.Println("FAIL setup: BOOTSTRAP is not set")
		os.Exit(1)
	}
	only := regexp.MustCompile("")
	if len(os.Args) > 1 {
		only = regexp.MustCompile(os.Args[1])
	}
	addFranz()
	addFranzGroups()
	if len(os.Args) > 1 { // they need a broker that is told to be quick (compat/groups)
		addFranzConsumerProtocol()
	}
	addFranzAdmin()
	addSarama()
	addSaramaGroups()
	addSaramaAdmin()

	var (
		slots  = make(chan struct{}, atOnce)
		done   sync.WaitGroup
		mu     sync.Mutex // one line at a time
		ran    int
		failed int
	)
	for _, c := range checks {
		if !only.MatchString(c.name) {
			continue
		}
		ran++
		done.Add(1)
		slots <- struct{}{}
		go func() {
			defer func() { <-slots; done.Done() }()
			start := time.Now()
			err := runCheck(c)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed++
				fmt.Printf("FAIL %s: %v\n", c.name, err)
			} else {
				fmt.Printf("ok %s (%.1fs)\n", c.name, time.Since(start).Seconds())
			}
		}()
	}
	done.Wait()
	fmt.Printf("# go: %d checks, %d failed\n", ran, failed)
	if failed > 0 || ran == 0 {
		os.Exit(1)
	}
}

// failure is what a failed assertion panics with; runCheck turns it into the check's result.
type failure struct{ error }

// runCheck runs one check under its time limit. A check that does not come back is left behind and reported.
func runCheck(c check) error {
	ctx, cancel := context.WithTimeout(context.Background(), checkLimit)
	defer cancel()
	result := make(chan error, 1)
	go func() {
		defer func() {
			switch r := recover().(type) {
			case nil:
				result <- nil
			case failure:
				result <- r.error
			default:
				result <- fmt.Errorf("panic: %v\n%s", r, debug.Stack())
			}
		}()
		c.run(ctx)
	}()
	select {
	case err := <-result:
		return err
	case <-time.After(checkLimit + 10*time.Second):
		return errors.New("hangs")
	}
}

// Assertions. They may only be called on the check's own goroutine.

func fail(format string, args ...any) { panic(failure{fmt.Errorf(format, args...)}) }

func must(err error, what string) {
	if err != nil {
		fail("%s: %w", what, err)
	}
}

func value[T any](v T, err error) T {
	must(err, "call")
	return v
}

func equal[T any](got, want T, what string) {
	if !reflect.DeepEqual(got, want) {
		fail("%s: got %v, want %v", what, got, want)
	}
}

func wantErr(err, want error, what string) {
	if !errors.Is(err, want) {
		fail("%s: got error %v, want %v", what, err, want)
	}
}

// eventually polls cond until it holds or the time is up; cond returns what is still wrong, or "".
func eventually(limit time.Duration, cond func() string) {
	end := time.Now().Add(limit)
	for {
		wrong := cond()
		if wrong == "" {
			return
		}
		if time.Now().After(end) {
			fail("after %v still: %s", limit, wrong)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// topicName gives a name no other check uses.
var topicName = func() func(string) string {
	var mu sync.Mutex
	n := 0
	return func(prefix string) string {
		mu.Lock()
		defer mu.Unlock()
		n++
		return fmt.Sprintf("go-%s-%d-%d", prefix, os.Getpid(), n)
	}
}()
