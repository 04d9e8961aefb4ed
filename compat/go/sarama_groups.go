package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// A saramaMember runs one consumer group session after another, logging and marking what it reads.
type saramaMember struct {
	group sarama.ConsumerGroup
	net   *network
	stop  context.CancelFunc
	done  chan struct{}

	topic       string
	partitions_ int
	log         *readLog

	mu       sync.Mutex
	claims   map[int32]bool
	sessions int
	last     error
}

func (m *saramaMember) Setup(s sarama.ConsumerGroupSession) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sessions++
	m.claims = map[int32]bool{}
	for _, p := range s.Claims()[m.topic] {
		m.claims[p] = true
	}
	return nil
}

func (m *saramaMember) Cleanup(s sarama.ConsumerGroupSession) error {
	s.Commit() // before the partitions move away
	m.mu.Lock()
	defer m.mu.Unlock()
	m.claims = map[int32]bool{}
	return nil
}

func (m *saramaMember) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case msg, ok := <-claim.Messages():
			if !ok {
				return nil
			}
			wrong := ""
			if want := valueOf(int(msg.Offset)*m.partitions_ + int(msg.Partition)); string(msg.Value) != want {
				wrong = fmt.Sprintf("%d-%d has %.30q", msg.Partition, msg.Offset, msg.Value)
			}
			m.log.add(msg.Partition, msg.Offset, wrong)
			s.MarkMessage(msg, "")
		case <-s.Context().Done():
			return nil
		}
	}
}

func (m *saramaMember) partitions() []int32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []int32
	for p := range m.claims {
		out = append(out, p)
	}
	slices.Sort(out)
	return out
}

func (m *saramaMember) sessionCount() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sessions
}

func (m *saramaMember) err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last
}

func joinSarama(ctx context.Context, group, topic string, partitions int, log *readLog, change func(*sarama.Config)) *saramaMember {
	m := &saramaMember{net: &network{}, topic: topic, partitions_: partitions, log: log, done: make(chan struct{})}
	c := saramaConfig()
	c.Net.Proxy.Enable, c.Net.Proxy.Dialer = true, m.net
	c.Consumer.Group.Session.Timeout = 6 * time.Second
	c.Consumer.Group.Heartbeat.Interval = 300 * time.Millisecond
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Offsets.AutoCommit.Interval = 200 * time.Millisecond
	c.Consumer.Return.Errors = false
	c.Metadata.RefreshFrequency = 500 * time.Millisecond
	if change != nil {
		change(c)
	}
	m.group = value(sarama.NewConsumerGroup([]string{bootstrap}, group, c))
	pollCtx, stop := context.WithCancel(ctx)
	m.stop = stop
	go func() {
		defer close(m.done)
		for pollCtx.Err() == nil {
			if err := m.group.Consume(pollCtx, []string{topic}, m); err != nil {
				m.mu.Lock()
				m.last = err
				m.mu.Unlock()
				time.Sleep(200 * time.Millisecond)
			}
		}
	}()
	context.AfterFunc(ctx, func() { m.group.Close() })
	return m
}

func (m *saramaMember) leave() {
	m.stop()
	<-m.done
	must(m.group.Close(), "close the group")
}

func (m *saramaMember) crash() {
	m.net.cut()
	m.stop()
	go m.group.Close()
}

func addSaramaGroups() {
	for _, s := range []func() sarama.BalanceStrategy{sarama.NewBalanceStrategyRange, sarama.NewBalanceStrategyRoundRobin, sarama.NewBalanceStrategySticky} {
		add("sarama/group/join and leave/"+s().Name(), func(ctx context.Context) { saramaJoinLeave(ctx, s()) })
	}
	add("sarama/group/crash", saramaCrash)
	add("sarama/group/static members", saramaStatic)
	add("sarama/group/offset manager", saramaOffsetManager)
	for _, v := range []sarama.KafkaVersion{sarama.V2_1_0_0, sarama.V2_3_0_0, sarama.V2_8_0_0} {
		add("sarama/group/as client of "+v.String(), func(ctx context.Context) {
			topic, group := saramaTopic(ctx, "version", 2, nil), topicName("g")
			saramaProduce(topic, 0, 100, 2, saramaConfig())
			log := newReadLog()
			old := func(c *sarama.Config) { c.Version = v }
			a := joinSarama(ctx, group, topic, 2, log, old)
			awaitSplit(2, []int{2}, a)
			b := joinSarama(ctx, group, topic, 2, log, old)
			awaitSplit(2, []int{1, 1}, a, b)
			log.await(100, 2, true)
			a.leave()
			awaitSplit(2, []int{2}, b)
			b.leave()
			equal(saramaCommitted(ctx, group, topic, 2), []int64{50, 50}, "committed offsets")
		})
	}
}

func saramaCommitted(ctx context.Context, group, topic string, partitions int) []int64 {
	ids := make([]int32, partitions)
	for p := range ids {
		ids[p] = int32(p)
	}
	resp := value(saramaAdmin(ctx).ListConsumerGroupOffsets(group, map[string][]int32{topic: ids}))
	equal(resp.Err, sarama.ErrNoError, "list group offsets")
	var out []int64
	for _, p := range ids {
		block := resp.GetBlock(topic, p)
		equal(block.Err, sarama.ErrNoError, "offset of a partition")
		out = append(out, block.Offset)
	}
	return out
}

func saramaJoinLeave(ctx context.Context, strategy sarama.BalanceStrategy) {
	const partitions = 6
	topic, group := saramaTopic(ctx, "group", partitions, nil), topicName("g")
	log := newReadLog()
	written := 0
	more := func() {
		saramaProduce(topic, written, written+120, partitions, saramaConfig())
		written += 120
	}
	join := func() *saramaMember {
		return joinSarama(ctx, group, topic, partitions, log, func(c *sarama.Config) {
			c.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{strategy}
		})
	}
	more()
	a := join()
	awaitSplit(partitions, []int{6}, a)
	log.await(written, partitions, true)
	b := join()
	more()
	awaitSplit(partitions, []int{3, 3}, a, b)
	c := join()
	awaitSplit(partitions, []int{2, 2, 2}, a, b, c)
	more()
	log.await(written, partitions, true)
	described := value(saramaAdmin(ctx).DescribeConsumerGroups([]string{group}))[0]
	equal(described.Err, sarama.ErrNoError, "describe group")
	equal(described.State, "Stable", "state")
	equal(described.Protocol, strategy.Name(), "protocol")
	equal(len(described.Members), 3, "members")
	a.leave()
	awaitSplit(partitions, []int{3, 3}, b, c)
	more()
	log.await(written, partitions, true)
	b.leave()
	c.leave()
	each := int64(written / partitions)
	equal(saramaCommitted(ctx, group, topic, partitions), []int64{each, each, each, each, each, each}, "committed offsets")
	// A member that comes later goes on from there.
	d := join()
	more()
	log.await(written, partitions, true)
	d.leave()
}

func saramaCrash(ctx context.Context) {
	topic, group := saramaTopic(ctx, "crash", 4, nil), topicName("g")
	log := newReadLog()
	saramaProduce(topic, 0, 100, 4, saramaConfig())
	a := joinSarama(ctx, group, topic, 4, log, nil)
	b := joinSarama(ctx, group, topic, 4, log, nil)
	awaitSplit(4, []int{2, 2}, a, b)
	log.await(100, 4, false)
	eventually(5*time.Second, func() string { // the automatic commit
		if got := saramaCommitted(ctx, group, topic, 4); !slices.Equal(got, []int64{25, 25, 25, 25}) {
			return fmt.Sprintf("committed %v", got)
		}
		return ""
	})
	b.crash()
	crashed := time.Now()
	saramaProduce(topic, 100, 200, 4, saramaConfig())
	awaitSplit(4, []int{4}, a)
	if took := time.Since(crashed); took < 4*time.Second || took > 15*time.Second {
		fail("partitions moved %v after the crash, want about the session timeout of 6s", took)
	}
	log.await(200, 4, true)
	a.leave()
}

func saramaStatic(ctx context.Context) {
	topic, group := saramaTopic(ctx, "static", 4, nil), topicName("g")
	log := newReadLog()
	join := func(id string) *saramaMember {
		return joinSarama(ctx, group, topic, 4, log, func(c *sarama.Config) { c.Consumer.Group.InstanceId = id })
	}
	a := join("a")
	awaitSplit(4, []int{4}, a)
	b := join("b")
	awaitSplit(4, []int{2, 2}, a, b)
	sessions, had := a.sessionCount(), b.partitions()
	b.leave()
	b = join("b")
	awaitSplit(4, []int{2, 2}, a, b)
	equal(b.partitions(), had, "partitions of b after its return")
	equal(a.sessionCount(), sessions, "sessions of a")
	saramaProduce(topic, 0, 100, 4, saramaConfig())
	log.await(100, 4, true)
	b.leave()
	resp := value(saramaAdmin(ctx).RemoveMemberFromConsumerGroup(group, []string{"b"}))
	equal(resp.Err, sarama.ErrNoError, "removal")
	equal(resp.Members[0].Err, sarama.ErrNoError, "removal of b")
	awaitSplit(4, []int{4}, a)
	a.leave()
}

func saramaOffsetManager(ctx context.Context) {
	topic, group := saramaTopic(ctx, "om", 1, nil), topicName("g")
	for _, step := range []struct {
		next int64
		meta string
	}{{10, "ten"}, {25, "later"}} {
		c := saramaConfig()
		cl := saramaClient(ctx, c)
		om := value(sarama.NewOffsetManagerFromClient(group, cl))
		pom := value(om.ManagePartition(topic, 0))
		pom.MarkOffset(step.next, step.meta)
		om.Commit()
		must(pom.Close(), "close the partition's manager")
		must(om.Close(), "close the manager")
		again := value(sarama.NewOffsetManagerFromClient(group, cl))
		offset, meta := value(again.ManagePartition(topic, 0)).NextOffset()
		equal(offset, step.next, "offset")
		equal(meta, step.meta, "metadata")
	}
	equal(saramaCommitted(ctx, group, topic, 1), []int64{25}, "committed")
}
