package main

import (
	"context"
	"errors"
	"net"
	"sync"
)

// A network is one client's connections; cut takes them all away at once and forbids new ones, so that the client dies
// in the broker's eyes as a killed process does: without leaving its group.
type network struct {
	mu    sync.Mutex
	conns []net.Conn
	down  bool
}

func (n *network) DialContext(ctx context.Context, kind, host string) (net.Conn, error) {
	n.mu.Lock()
	down := n.down
	n.mu.Unlock()
	if down {
		return nil, errors.New("network is cut")
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, kind, host)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.down { // cut while dialling
		conn.Close()
		return nil, errors.New("network is cut")
	}
	n.conns = append(n.conns, conn)
	return conn, nil
}

// Dial is what Sarama's proxy setting wants.
func (n *network) Dial(kind, host string) (net.Conn, error) {
	return n.DialContext(context.Background(), kind, host)
}

func (n *network) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = true
	for _, c := range n.conns {
		c.Close()
	}
}
