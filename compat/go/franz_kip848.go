package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func addFranzConsumerProtocol() {
	add("kip848/join and leave", kip848JoinLeave)
	add("kip848/range", kip848Range)
	add("kip848/crash", kip848Crash)
	add("kip848/static members", kip848Static)
	add("kip848/both protocols in a group", kip848Mixed)
	add("kip848/regular expression", kip848Regex)
}

func joinKip848(ctx context.Context, group, topic string, partitions int, log *readLog, opts ...kgo.Opt) *franzMember {
	return joinFranz(ctx, group, topic, partitions, log, append([]kgo.Opt{
		kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer()),
	}, opts...)...)
}

// kip848Described returns what the admin client tells of a group once it is in this state.
func kip848Described(ctx context.Context, group, state string) kadm.DescribedConsumerGroup {
	adm := franzAdmin(ctx)
	var described kadm.DescribedConsumerGroup
	eventually(15*time.Second, func() string {
		described = value(adm.DescribeConsumerGroups(ctx, group))[group]
		must(described.Err, "describe consumer group")
		if described.State != state {
			return fmt.Sprintf("state %s, want %s", described.State, state)
		}
		return ""
	})
	return described
}

func kip848JoinLeave(ctx context.Context) {
	const partitions = 6
	topic, group := franzTopic(ctx, "kip848", partitions, nil), topicName("g")
	log := newReadLog()
	written := 0
	more := func() { franzProduce(ctx, topic, written, written+300, partitions); written += 300 }

	more()
	a := joinKip848(ctx, group, topic, partitions, log)
	awaitSplit(partitions, []int{6}, a)
	log.await(written, partitions, true)
	b := joinKip848(ctx, group, topic, partitions, log)
	more()
	awaitSplit(partitions, []int{3, 3}, a, b)
	c := joinKip848(ctx, group, topic, partitions, log)
	awaitSplit(partitions, []int{2, 2, 2}, a, b, c)
	more()
	log.await(written, partitions, true)

	described := kip848Described(ctx, group, "Stable")
	equal(described.AssignorName, "uniform", "assignor")
	equal(described.AssignmentEpoch, described.Epoch, "assignment epoch")
	equal(len(described.Members), 3, "members")
	for _, m := range described.Members {
		equal(m.ClientID, "compat-franz", "client id")
		equal(m.MemberEpoch, described.Epoch, "member epoch")
		equal(m.MemberType, int8(1), "member type")
		equal(m.SubscribedTopics, []string{topic}, "subscription")
		equal(len(m.Assignment[topic]), 2, "partitions of a member")
		equal(m.Assignment, m.TargetAssignment, "target")
	}

	a.leave()
	awaitSplit(partitions, []int{3, 3}, b, c)
	more()
	b.leave()
	awaitSplit(partitions, []int{6}, c)
	more()
	log.await(written, partitions, true)
	c.leave()
	kip848Described(ctx, group, "Empty")
	each := int64(written / partitions)
	equal(franzCommitted(ctx, franzAdmin(ctx), group, topic, partitions), []int64{each, each, each, each, each, each}, "committed offsets")
}

func kip848Range(ctx context.Context) {
	const partitions = 5
	topic, group := franzTopic(ctx, "kip848-range", partitions, nil), topicName("g")
	log := newReadLog()
	a := joinKip848(ctx, group, topic, partitions, log, kgo.Balancers(kgo.RangeBalancer()))
	b := joinKip848(ctx, group, topic, partitions, log, kgo.Balancers(kgo.RangeBalancer()))
	awaitSplit(partitions, []int{2, 3}, a, b)
	first, second := a.partitions(), b.partitions()
	if len(first) < len(second) {
		first, second = second, first
	}
	equal(first, []int32{0, 1, 2}, "first range")
	equal(second, []int32{3, 4}, "second range")
	equal(kip848Described(ctx, group, "Stable").AssignorName, "range", "assignor")
	a.leave()
	b.leave()
}

func kip848Crash(ctx context.Context) {
	const partitions = 4
	topic, group := franzTopic(ctx, "kip848-crash", partitions, nil), topicName("g")
	log := newReadLog()
	franzProduce(ctx, topic, 0, 100, partitions)
	a := joinKip848(ctx, group, topic, partitions, log)
	b := joinKip848(ctx, group, topic, partitions, log)
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
	log.await(200, partitions, true)
	a.leave()
}

func kip848Static(ctx context.Context) {
	const partitions = 4
	topic, group := franzTopic(ctx, "kip848-static", partitions, nil), topicName("g")
	log := newReadLog()
	a := joinKip848(ctx, group, topic, partitions, log, kgo.InstanceID("a"))
	b := joinKip848(ctx, group, topic, partitions, log, kgo.InstanceID("b"))
	awaitSplit(partitions, []int{2, 2}, a, b)
	b.leave() // a static member is away for a while; franz-go's then joins anew
	b = joinKip848(ctx, group, topic, partitions, log, kgo.InstanceID("b"))
	awaitSplit(partitions, []int{2, 2}, a, b)
	a.leave()
	b.leave()
}

func kip848Mixed(ctx context.Context) {
	const partitions = 4
	topic, group := franzTopic(ctx, "kip848-mixed", partitions, nil), topicName("g")
	log := newReadLog()
	written := 0
	more := func() { franzProduce(ctx, topic, written, written+200, partitions); written += 200 }
	more()
	classic := joinFranz(ctx, group, topic, partitions, log, kgo.Balancers(kgo.CooperativeStickyBalancer()))
	awaitSplit(partitions, []int{4}, classic)
	modern := joinKip848(ctx, group, topic, partitions, log) // the group goes over to the consumer protocol
	more()
	awaitSplit(partitions, []int{2, 2}, classic, modern)
	types := map[int8]int{}
	for _, m := range kip848Described(ctx, group, "Stable").Members {
		types[m.MemberType]++
	}
	equal(types, map[int8]int{0: 1, 1: 1}, "members by type")
	log.await(written, partitions, false)
	modern.leave() // and back
	more()
	awaitSplit(partitions, []int{4}, classic)
	log.await(written, partitions, false)
	equal(value(franzAdmin(ctx).DescribeGroups(ctx, group))[group].State, "Stable", "state as a classic group")
	classic.leave()
}

func kip848Regex(ctx context.Context) {
	topic, group := franzTopic(ctx, "kip848-regex", 2, nil), topicName("g")
	franzProduce(ctx, topic, 0, 50, 2)
	cl := franzClient(ctx, kgo.ConsumerGroup(group), kgo.ConsumeRegex(), kgo.ConsumeTopics("^"+topic+"$"),
		kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer()), kgo.DisableAutoCommit())
	records := 0
	eventually(20*time.Second, func() string {
		pollCtx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		records += cl.PollRecords(pollCtx, 100).NumRecords()
		if records < 50 {
			return fmt.Sprintf("%d of 50 records", records)
		}
		return ""
	})
	equal(records, 50, "records")
	cl.Close()
}
