package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A place is where a record lies.
type place struct {
	partition int32
	offset    int64
}

// A readLog is what all members of a group have read together.
type readLog struct {
	mu    sync.Mutex
	times map[place]int
	wrong []string // records whose content is not what was written there
}

func newReadLog() *readLog { return &readLog{times: map[place]int{}} }

func (l *readLog) add(partition int32, offset int64, wrong string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.times[place{partition, offset}]++
	if wrong != "" {
		l.wrong = append(l.wrong, wrong)
	}
}

// await waits until every one of the first n records has been read; with once, none of them twice.
func (l *readLog) await(n, partitions int, once bool) {
	eventually(25*time.Second, func() string {
		l.mu.Lock()
		defer l.mu.Unlock()
		if len(l.wrong) > 0 {
			fail("content: %s", l.wrong[0])
		}
		for i := range n {
			at := place{int32(i % partitions), int64(i / partitions)}
			switch times := l.times[at]; {
			case times == 0:
				return fmt.Sprintf("record %d of %d (%d-%d) was not read; %d were", i, n, at.partition, at.offset, len(l.times))
			case times > 1 && once:
				fail("record %d-%d was read %d times", at.partition, at.offset, times)
			}
		}
		return ""
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	equal(len(l.times), n, "distinct records read")
}

// A franzMember polls in the background, logs what it reads and commits it, also before partitions move away.
type franzMember struct {
	cl   *kgo.Client
	net  *network
	stop context.CancelFunc
	done chan struct{}

	mu       sync.Mutex
	assigned map[int32]bool
	assigns  int // calls of the assigned callback
	revokes  int
	fatal    error
}

func joinFranz(ctx context.Context, group, topic string, partitions int, log *readLog, opts ...kgo.Opt) *franzMember {
	m := &franzMember{net: &network{}, assigned: map[int32]bool{}, done: make(chan struct{})}
	pollCtx, stop := context.WithCancel(ctx)
	m.stop = stop
	taken := func(parts map[string][]int32) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.revokes++
		for _, p := range parts[topic] {
			delete(m.assigned, p)
		}
	}
	m.cl = franzClient(ctx, append([]kgo.Opt{
		kgo.Dialer(m.net.DialContext),
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic),
		kgo.SessionTimeout(6 * time.Second), kgo.HeartbeatInterval(300 * time.Millisecond),
		kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, parts map[string][]int32) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.assigns++
			for _, p := range parts[topic] {
				m.assigned[p] = true
			}
		}),
		kgo.OnPartitionsRevoked(func(ctx context.Context, cl *kgo.Client, parts map[string][]int32) {
			cl.CommitUncommittedOffsets(ctx) // so that the next owner does not read them again
			taken(parts)
		}),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, parts map[string][]int32) { taken(parts) }),
	}, opts...)...)
	go func() {
		defer close(m.done)
		for pollCtx.Err() == nil {
			fetches := m.cl.PollRecords(pollCtx, 50)
			for _, e := range fetches.Errors() {
				if !errors.Is(e.Err, context.Canceled) && !errors.Is(e.Err, kgo.ErrClientClosed) {
					m.mu.Lock()
					m.fatal = e.Err
					m.mu.Unlock()
				}
			}
			fetches.EachRecord(func(r *kgo.Record) {
				wrong := ""
				if want := valueOf(int(r.Offset)*partitions + int(r.Partition)); string(r.Value) != want {
					wrong = fmt.Sprintf("%d-%d has %.30q", r.Partition, r.Offset, r.Value)
				}
				log.add(r.Partition, r.Offset, wrong)
			})
			m.cl.AllowRebalance()
		}
	}()
	return m
}

// leave ends the member as it should: commit, leave the group, close.
func (m *franzMember) leave() {
	m.stop()
	<-m.done
	m.cl.CloseAllowingRebalance()
}

// crash takes the member's network away; it cannot commit or leave.
func (m *franzMember) crash() {
	m.net.cut()
	m.stop()
	<-m.done
	go m.cl.CloseAllowingRebalance()
}

func (m *franzMember) partitions() []int32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []int32
	for p := range m.assigned {
		out = append(out, p)
	}
	slices.Sort(out)
	return out
}

func (m *franzMember) rebalances() [2]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return [2]int{m.assigns, m.revokes}
}

func (m *franzMember) err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fatal
}

// awaitSplit waits until the members own all the partitions, each the number given, none two of them.
func awaitSplit(partitions int, want []int, members ...interface{ partitions() []int32 }) {
	eventually(20*time.Second, func() string {
		var sizes []int
		owned := map[int32]int{}
		for _, m := range members {
			parts := m.partitions()
			sizes = append(sizes, len(parts))
			for _, p := range parts {
				owned[p]++
			}
		}
		slices.Sort(sizes)
		if !slices.Equal(sizes, want) || len(owned) != partitions {
			return fmt.Sprintf("assignment is %v over %d partitions, want %v over %d", sizes, len(owned), want, partitions)
		}
		return ""
	})
}

func addFranzGroups() {
	for _, b := range []kgo.GroupBalancer{kgo.RangeBalancer(), kgo.RoundRobinBalancer(), kgo.StickyBalancer(), kgo.CooperativeStickyBalancer()} {
		add("franz/group/join and leave/"+b.ProtocolName(), func(ctx context.Context) { franzJoinLeave(ctx, b) })
	}
	add("franz/group/crash", franzCrash)
	add("franz/group/resume from committed", franzResume)
	add("franz/group/autocommit", franzAutoCommit)
	add("franz/group/static members", franzStatic)
	add("franz/group/static member is fenced", franzFenced)
	add("franz/group/new topic joins", franzGroupNewPartitions)
	add("franz/group/more members than partitions", franzIdleMember)
	add("franz/group/no common protocol", franzNoCommonProtocol)
	add("franz/group/two groups read the same", franzTwoGroups)
}

func franzCommitted(ctx context.Context, adm *kadm.Client, group, topic string, partitions int) []int64 {
	got := value(adm.FetchOffsets(ctx, group))
	must(got.Error(), "fetch offsets")
	var out []int64
	for p := range partitions {
		o, ok := got.Lookup(topic, int32(p))
		if !ok {
			o.At = -1
		}
		out = append(out, o.At)
	}
	return out
}

func franzJoinLeave(ctx context.Context, balancer kgo.GroupBalancer) {
	const partitions = 6
	topic, group := franzTopic(ctx, "group", partitions, nil), topicName("g")
	adm := franzAdmin(ctx)
	log := newReadLog()
	written := 0
	more := func() { franzProduce(ctx, topic, written, written+300, partitions); written += 300 }
	join := func() *franzMember { return joinFranz(ctx, group, topic, partitions, log, kgo.Balancers(balancer)) }

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

	described := value(adm.DescribeGroups(ctx, group))[group]
	must(described.Err, "describe group")
	equal(described.State, "Stable", "state")
	equal(described.Protocol, balancer.ProtocolName(), "protocol")
	equal(described.ProtocolType, "consumer", "protocol type")
	equal(len(described.Members), 3, "members")
	seen := map[int32]bool{}
	for _, m := range described.Members {
		equal(m.ClientID, "compat-franz", "client id")
		equal(m.ClientHost, "/127.0.0.1", "client host")
		assigned, _ := m.Assigned.AsConsumer()
		equal(len(assigned.Topics), 1, "topics of a member")
		equal(len(assigned.Topics[0].Partitions), 2, "partitions of a member")
		for _, p := range assigned.Topics[0].Partitions {
			seen[p] = true
		}
	}
	equal(len(seen), partitions, "partitions described")

	a.leave() // the leader, and the others take over
	awaitSplit(partitions, []int{3, 3}, b, c)
	more()
	log.await(written, partitions, true)
	b.leave()
	awaitSplit(partitions, []int{6}, c)
	more()
	log.await(written, partitions, true)
	c.leave()

	each := int64(written / partitions)
	equal(franzCommitted(ctx, adm, group, topic, partitions), []int64{each, each, each, each, each, each}, "committed offsets")
	equal(value(adm.DescribeGroups(ctx, group))[group].State, "Empty", "state at last")
}

func franzCrash(ctx context.Context) {
	const partitions = 4
	topic, group := franzTopic(ctx, "crash", partitions, nil), topicName("g")
	log := newReadLog()
	franzProduce(ctx, topic, 0, 100, partitions)
	a := joinFranz(ctx, group, topic, partitions, log)
	b := joinFranz(ctx, group, topic, partitions, log)
	awaitSplit(partitions, []int{2, 2}, a, b)
	log.await(100, partitions, false)
	must(b.cl.CommitUncommittedOffsets(ctx), "commit")
	b.crash()
	crashed := time.Now()
	franzProduce(ctx, topic, 100, 200, partitions)
	awaitSplit(partitions, []int{4}, a)
	if took := time.Since(crashed); took < 4*time.Second || took > 15*time.Second {
		fail("partitions moved %v after the crash, want about the session timeout of 6s", took)
	}
	log.await(200, partitions, true) // b had committed, so not even its records come again
	a.leave()
	equal(franzCommitted(ctx, franzAdmin(ctx), group, topic, partitions), []int64{50, 50, 50, 50}, "committed offsets")
}

func franzResume(ctx context.Context) {
	topic, group := franzTopic(ctx, "resume", 1, nil), topicName("g")
	franzProduce(ctx, topic, 0, 100, 1)
	open := func() *kgo.Client {
		return franzClient(ctx, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit())
	}
	first := open()
	records := first.PollRecords(ctx, 40).Records()
	equal(len(records), 40, "records of the first poll")
	must(first.CommitRecords(ctx, records[:30]...), "commit") // ten of what it read are not committed
	first.Close()
	second := open()
	for _, r := range franzRead(ctx, second, 70, func(int32) int64 { return 30 }) {
		franzCheckRecord(r, 1)
	}
	second.Close() // commits nothing
	equal(franzCommitted(ctx, franzAdmin(ctx), group, topic, 1), []int64{30}, "committed offset")
	// Metadata and leader epoch are kept with a commit.
	adm := franzAdmin(ctx)
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: topic, Partition: 0, At: 77, LeaderEpoch: 0, Metadata: "klamm was here"})
	must(adm.CommitAllOffsets(ctx, group, offsets), "commit offsets")
	got, _ := value(adm.FetchOffsets(ctx, group)).Lookup(topic, 0)
	equal(got.At, int64(77), "offset")
	equal(got.Metadata, "klamm was here", "metadata")
	equal(got.LeaderEpoch, int32(0), "leader epoch")
	third := open()
	franzRead(ctx, third, 23, func(int32) int64 { return 77 })
	third.Close()
}

func franzAutoCommit(ctx context.Context) {
	topic, group := franzTopic(ctx, "auto", 2, nil), topicName("g")
	franzProduce(ctx, topic, 0, 100, 2)
	cl := franzClient(ctx, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.AutoCommitInterval(200*time.Millisecond))
	franzRead(ctx, cl, 100, fromZero)
	go cl.PollFetches(ctx) // only a next poll says that the records are done with
	adm := franzAdmin(ctx)
	eventually(10*time.Second, func() string {
		if got := franzCommitted(ctx, adm, group, topic, 2); !slices.Equal(got, []int64{50, 50}) {
			return fmt.Sprintf("committed %v", got)
		}
		return ""
	})
}

// franzStatic: a static member that goes and comes back within the session timeout keeps its partitions, and nobody else
// notices; after the session timeout, or when an admin removes it, the partitions move.
func franzStatic(ctx context.Context) {
	const partitions = 4
	topic, group := franzTopic(ctx, "static", partitions, nil), topicName("g")
	log := newReadLog()
	adm := franzAdmin(ctx)
	join := func(id string) *franzMember {
		return joinFranz(ctx, group, topic, partitions, log, kgo.InstanceID(id), kgo.Balancers(kgo.RangeBalancer()))
	}
	franzProduce(ctx, topic, 0, 100, partitions)
	a := join("a")
	awaitSplit(partitions, []int{4}, a)
	b := join("b")
	awaitSplit(partitions, []int{2, 2}, a, b)
	log.await(100, partitions, true)
	before, bHad := a.rebalances(), b.partitions()

	must(b.cl.CommitUncommittedOffsets(ctx), "commit")
	b.leave() // a static member sends no leave
	members := value(adm.DescribeGroups(ctx, group))[group].Members
	equal(len(members), 2, "members while b is away")
	equal(*members[0].InstanceID+*members[1].InstanceID, "ab", "instance ids")
	b = join("b")
	awaitSplit(partitions, []int{2, 2}, a, b)
	equal(b.partitions(), bHad, "partitions of b after its return")
	franzProduce(ctx, topic, 100, 200, partitions)
	log.await(200, partitions, true)
	equal(a.rebalances(), before, "rebalances a saw")

	must(b.cl.CommitUncommittedOffsets(ctx), "commit")
	b.leave()
	left := value(adm.LeaveGroup(ctx, kadm.LeaveGroup(group).InstanceIDs("b")))
	must(left["b"].Err, "removal of b")
	awaitSplit(partitions, []int{4}, a)
	franzProduce(ctx, topic, 200, 300, partitions)
	log.await(300, partitions, true)
	a.leave()
	left = value(adm.LeaveGroup(ctx, kadm.LeaveGroup(group).InstanceIDs("a", "nobody")))
	must(left["a"].Err, "removal of a")
	wantErr(left["nobody"].Err, kerr.UnknownMemberID, "removal of nobody")
	equal(value(adm.DescribeGroups(ctx, group))[group].State, "Empty", "state")
}

// franzFenced: of two members with one instance id the later one wins.
func franzFenced(ctx context.Context) {
	topic, group := franzTopic(ctx, "fence", 2, nil), topicName("g")
	log := newReadLog()
	first := joinFranz(ctx, group, topic, 2, log, kgo.InstanceID("same"))
	awaitSplit(2, []int{2}, first)
	second := joinFranz(ctx, group, topic, 2, log, kgo.InstanceID("same"))
	awaitSplit(2, []int{2}, second)
	eventually(15*time.Second, func() string {
		if !errors.Is(first.err(), kerr.FencedInstanceID) {
			return fmt.Sprintf("the first member has error %v", first.err())
		}
		return ""
	})
	franzProduce(ctx, topic, 0, 10, 2)
	log.await(10, 2, true)
	equal(len(value(franzAdmin(ctx).DescribeGroups(ctx, group))[group].Members), 1, "members")
}

// franzGroupNewPartitions: partitions that are added later are assigned too.
func franzGroupNewPartitions(ctx context.Context) {
	topic, group := franzTopic(ctx, "grow", 2, nil), topicName("g")
	log := newReadLog()
	fast := kgo.MetadataMaxAge(300 * time.Millisecond)
	a := joinFranz(ctx, group, topic, 4, log, fast)
	b := joinFranz(ctx, group, topic, 4, log, fast)
	awaitSplit(2, []int{1, 1}, a, b)
	must(value(franzAdmin(ctx).CreatePartitions(ctx, 2, topic))[topic].Err, "create partitions")
	awaitSplit(4, []int{2, 2}, a, b)
	franzProduce(ctx, topic, 0, 100, 4)
	log.await(100, 4, true)
}

func franzIdleMember(ctx context.Context) {
	topic, group := franzTopic(ctx, "idle", 2, nil), topicName("g")
	log := newReadLog()
	a := joinFranz(ctx, group, topic, 2, log)
	b := joinFranz(ctx, group, topic, 2, log)
	c := joinFranz(ctx, group, topic, 2, log)
	awaitSplit(2, []int{0, 1, 1}, a, b, c)
	eventually(5*time.Second, func() string {
		described := value(franzAdmin(ctx).DescribeGroups(ctx, group))[group]
		if len(described.Members) != 3 || described.State != "Stable" {
			return fmt.Sprintf("%d members, %s", len(described.Members), described.State)
		}
		return ""
	})
	franzProduce(ctx, topic, 0, 100, 2)
	log.await(100, 2, true)
}

func franzNoCommonProtocol(ctx context.Context) {
	topic, group := franzTopic(ctx, "proto", 2, nil), topicName("g")
	log := newReadLog()
	a := joinFranz(ctx, group, topic, 2, log, kgo.Balancers(kgo.RangeBalancer()))
	awaitSplit(2, []int{2}, a)
	b := joinFranz(ctx, group, topic, 2, log, kgo.Balancers(kgo.RoundRobinBalancer()))
	eventually(10*time.Second, func() string {
		if !errors.Is(b.err(), kerr.InconsistentGroupProtocol) {
			return fmt.Sprintf("the second member has error %v", b.err())
		}
		return ""
	})
	franzProduce(ctx, topic, 0, 20, 2)
	log.await(20, 2, true)
	equal(a.partitions(), []int32{0, 1}, "partitions of the first")
}

func franzTwoGroups(ctx context.Context) {
	topic := franzTopic(ctx, "two", 2, nil)
	franzProduce(ctx, topic, 0, 100, 2)
	for range 2 {
		log := newReadLog()
		m := joinFranz(ctx, topicName("g"), topic, 2, log)
		log.await(100, 2, true)
		m.leave()
	}
}
