// SPDX-License-Identifier: MIT
//
// Goroutines: a value over an unbuffered channel and back is the nearest to
// enter and yield; a goroutine that says on a channel that it ends, to create,
// enter and end.  One processor, so that every switch is the scheduler's.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
)

func nowNs() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}

// There and back: two switches, as an enter and a yield are.
func yield(count int64) int64 {
	enter := make(chan struct{})
	back := make(chan struct{})
	go func() {
		for range enter {
			back <- struct{}{}
		}
	}()
	enter <- struct{}{}
	<-back
	begin := nowNs()
	for i := int64(0); i < count; i++ {
		enter <- struct{}{}
		<-back
	}
	return nowNs() - begin
}

func life(count int64) int64 {
	done := make(chan struct{})
	begin := nowNs()
	for i := int64(0); i < count; i++ {
		go func() { done <- struct{}{} }()
		<-done
	}
	return nowNs() - begin
}

func main() {
	rows := map[string]func(int64) int64{"yield": yield, "life": life}
	runtime.GOMAXPROCS(1)
	if len(os.Args) == 3 {
		count, err := strconv.ParseInt(os.Args[2], 10, 64)
		if row, known := rows[os.Args[1]]; known && err == nil && count > 0 {
			fmt.Printf("%.4f\n", float64(row(count))/float64(count))
			return
		}
	}
	fmt.Fprintf(os.Stderr, "usage: %s yield|life COUNT\n", os.Args[0])
	os.Exit(2)
}
