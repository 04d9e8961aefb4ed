package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func addFranzAdmin() {
	add("franz/admin/cluster", franzCluster)
	add("franz/admin/api versions", franzAPIVersions)
	add("franz/admin/topics", franzTopics)
	add("franz/admin/topic errors", franzTopicErrors)
	add("franz/admin/topic is recreated", franzRecreate)
	add("franz/admin/partitions", franzPartitions)
	add("franz/admin/topic configs", franzTopicConfigs)
	add("franz/admin/broker configs", franzBrokerConfigs)
	add("franz/admin/list config resources", franzListConfigResources)
	add("franz/admin/delete records", franzDeleteRecords)
	add("franz/admin/log dirs", franzLogDirs)
	add("franz/admin/groups", franzGroupsAdmin)
	add("franz/admin/group offsets", franzGroupOffsets)
	add("franz/produce/errors", franzProduceErrors)
	add("franz/produce/idempotent sequence errors", franzSequences)
}

func franzCluster(ctx context.Context) {
	md := value(franzAdmin(ctx).BrokerMetadata(ctx))
	equal(len(md.Brokers), 1, "brokers")
	equal(fmt.Sprintf("%s:%d", md.Brokers[0].Host, md.Brokers[0].Port), bootstrap, "address of the broker")
	equal(md.Controller, md.Brokers[0].NodeID, "controller")
	if md.Cluster == "" {
		fail("no cluster id")
	}
	req := kmsg.NewPtrDescribeClusterRequest()
	resp := value(req.RequestWith(ctx, franzClient(ctx)))
	must(kerr.ErrorForCode(resp.ErrorCode), "describe cluster")
	equal(resp.ClusterID, md.Cluster, "cluster id of DescribeCluster")
	equal(resp.ControllerID, md.Controller, "controller of DescribeCluster")
	equal(len(resp.Brokers), 1, "brokers of DescribeCluster")
	equal(fmt.Sprintf("%s:%d", resp.Brokers[0].Host, resp.Brokers[0].Port), bootstrap, "address in DescribeCluster")
}

// franzAPIVersions: what the broker advertises must at least hold what this suite and its clients build on.
func franzAPIVersions(ctx context.Context) {
	versions := value(franzAdmin(ctx).ApiVersions(ctx))
	equal(len(versions), 1, "brokers")
	for _, v := range versions {
		must(v.Err, "api versions")
		for key, want := range map[int16][2]int16{0: {0, 13}, 1: {4, 18}, 2: {1, 11}, 3: {0, 13}, 18: {0, 4}, 19: {2, 7}} {
			got := [2]int16{}
			got[0], _, _ = v.KeyVersions(key)
			_, got[1], _ = v.KeyVersions(key)
			if got[0] != want[0] || got[1] < want[1] {
				fail("API %d has versions %v, want %v or more", key, got, want)
			}
		}
	}
}

func franzTopics(ctx context.Context) {
	adm := franzAdmin(ctx)
	topic := topicName("admin")
	validated := value(adm.ValidateCreateTopics(ctx, 3, 1, nil, topic))[topic]
	must(validated.Err, "validate")
	if value(adm.ListTopics(ctx)).Has(topic) {
		fail("a validated topic was created")
	}
	created := value(adm.CreateTopics(ctx, 3, 1, map[string]*string{"retention.ms": kadm.StringPtr("12345678")}, topic))[topic]
	must(created.Err, "create")
	equal(created.NumPartitions, int32(3), "partitions answered")
	equal(created.ReplicationFactor, int16(1), "replication factor answered")
	equal(*created.Configs["retention.ms"].Value, "12345678", "config answered")
	if created.ID == (kadm.TopicID{}) {
		fail("no topic id")
	}
	franzAwaitTopic(ctx, topic, 3)
	listed := value(franzAdmin(ctx).ListTopics(ctx)) // by a new client: kgo keeps an answer for a moment
	detail := listed[topic]
	must(detail.Err, "list")
	equal(detail.ID, created.ID, "topic id")
	equal(len(detail.Partitions), 3, "partitions")
	broker := value(adm.ListBrokers(ctx))[0].NodeID
	for p := range int32(3) {
		part := detail.Partitions[p]
		must(part.Err, "partition")
		equal(part.Leader, broker, "leader")
		equal(part.Replicas, []int32{broker}, "replicas")
		equal(part.ISR, []int32{broker}, "isr")
	}
	defaults := value(adm.CreateTopics(ctx, -1, -1, nil, topic+"-defaults"))[topic+"-defaults"]
	must(defaults.Err, "create with the broker's defaults")
	equal(defaults.NumPartitions, int32(1), "default partitions")
	equal(defaults.ReplicationFactor, int16(1), "default replication factor")

	deleted := value(adm.DeleteTopics(ctx, topic, topic+"-missing"))
	must(deleted[topic].Err, "delete")
	equal(deleted[topic].ID, created.ID, "id of the deleted topic")
	wantErr(deleted[topic+"-missing"].Err, kerr.UnknownTopicOrPartition, "delete of a missing topic")
	eventually(5*time.Second, func() string {
		if value(adm.ListTopics(ctx)).Has(topic) {
			return "deleted topic is listed"
		}
		return ""
	})
	wantErr(value(adm.ListTopics(ctx, topic))[topic].Err, kerr.UnknownTopicOrPartition, "metadata of a deleted topic")

	// Kafka's manual assignment, and several topics in one request.
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = 5000
	for _, name := range []string{topic + "-m1", topic + "-m2"} {
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = name, -1, -1
		for p := range int32(2) {
			a := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
			a.Partition, a.Replicas = p, []int32{broker}
			t.ReplicaAssignment = append(t.ReplicaAssignment, a)
		}
		req.Topics = append(req.Topics, t)
	}
	resp := value(req.RequestWith(ctx, franzClient(ctx)))
	equal(len(resp.Topics), 2, "topics answered")
	for _, t := range resp.Topics {
		must(kerr.ErrorForCode(t.ErrorCode), "create with an assignment")
		equal(t.NumPartitions, int32(2), "partitions")
	}
}

func franzTopicErrors(ctx context.Context) {
	adm := franzAdmin(ctx)
	topic := franzTopic(ctx, "errors", 1, nil)
	create := func(name string, partitions int32, rf int16, configs map[string]*string) error {
		return value(adm.CreateTopics(ctx, partitions, rf, configs, name))[name].Err
	}
	wantErr(create(topic, 1, 1, nil), kerr.TopicAlreadyExists, "create again")
	for _, name := range []string{"", ".", "..", "a/b", "a b", strings.Repeat("x", 250), "ü"} {
		wantErr(create(name, 1, 1, nil), kerr.InvalidTopicException, fmt.Sprintf("create %.20q", name))
	}
	must(create(topicName(strings.Repeat("x", 200)), 1, 1, nil), "long name")
	wantErr(create(topic+"-a", 0, 1, nil), kerr.InvalidPartitions, "no partitions")
	wantErr(create(topic+"-a", 1, 2, nil), kerr.InvalidReplicationFactor, "two replicas on one broker")
	wantErr(create(topic+"-a", 1, 0, nil), kerr.InvalidReplicationFactor, "no replicas")
	wantErr(create(topic+"-a", 1, 1, map[string]*string{"no.such.config": kadm.StringPtr("1")}), kerr.InvalidConfig, "unknown config")
	wantErr(create(topic+"-a", 1, 1, map[string]*string{"retention.ms": kadm.StringPtr("soon")}), kerr.InvalidConfig, "config of the wrong type")
	if value(adm.ListTopics(ctx)).Has(topic + "-a") {
		fail("a refused topic exists")
	}
	// Names that differ in . and _ only would share their metrics' names.
	must(create(topic+"-x_y", 1, 1, nil), "create")
	wantErr(create(topic+"-x.y", 1, 1, nil), kerr.InvalidTopicException, "colliding name")
}

func franzRecreate(ctx context.Context) {
	topic := franzTopic(ctx, "again", 1, nil)
	adm := franzAdmin(ctx)
	franzProduce(ctx, topic, 0, 100, 1)
	id := value(adm.ListTopics(ctx, topic))[topic].ID
	must(value(adm.DeleteTopics(ctx, topic))[topic].Err, "delete")
	must(value(adm.CreateTopics(ctx, 2, 1, nil, topic))[topic].Err, "create")
	eventually(5*time.Second, func() string {
		detail := value(adm.ListTopics(ctx, topic))[topic]
		if detail.ID == id || len(detail.Partitions) != 2 {
			return "the old topic is still there"
		}
		return ""
	})
	equal(value(adm.ListEndOffsets(ctx, topic))[topic][0].Offset, int64(0), "end offset")
	franzProduce(ctx, topic, 0, 20, 2)
	for _, r := range franzRead(ctx, franzClient(ctx, kgo.ConsumeTopics(topic)), 20, fromZero) {
		franzCheckRecord(r, 2)
	}
}

func franzPartitions(ctx context.Context) {
	adm := franzAdmin(ctx)
	topic := franzTopic(ctx, "parts", 2, nil)
	must(value(adm.ValidateCreatePartitions(ctx, 3, topic))[topic].Err, "validate")
	equal(len(value(adm.ListTopics(ctx, topic))[topic].Partitions), 2, "partitions after a validation")
	must(value(adm.UpdatePartitions(ctx, 5, topic))[topic].Err, "update to 5")
	eventually(5*time.Second, func() string {
		if n := len(value(adm.ListTopics(ctx, topic))[topic].Partitions); n != 5 {
			return fmt.Sprintf("%d partitions", n)
		}
		return ""
	})
	franzProduce(ctx, topic, 0, 50, 5)
	franzRead(ctx, franzClient(ctx, kgo.ConsumeTopics(topic)), 50, fromZero)
	req := kmsg.NewPtrCreatePartitionsRequest()
	t := kmsg.NewCreatePartitionsRequestTopic()
	for name, want := range map[string]map[int32]error{topic: {5: kerr.InvalidPartitions, 4: kerr.InvalidPartitions}, topic + "-missing": {9: kerr.UnknownTopicOrPartition}} {
		for count, err := range want {
			t.Topic, t.Count = name, count
			req.Topics, req.TimeoutMillis = []kmsg.CreatePartitionsRequestTopic{t}, 5000
			resp := value(req.RequestWith(ctx, franzClient(ctx)))
			wantErr(kerr.ErrorForCode(resp.Topics[0].ErrorCode), err, fmt.Sprintf("%s to %d partitions", name, count))
		}
	}
}

func franzConfig(ctx context.Context, topic, key string) kadm.Config {
	rc := value(value(franzAdmin(ctx).DescribeTopicConfigs(ctx, topic)).On(topic, nil))
	must(rc.Err, "describe configs")
	for _, c := range rc.Configs {
		if c.Key == key {
			return c
		}
	}
	fail("no config %s", key)
	panic("unreachable")
}

func franzTopicConfigs(ctx context.Context) {
	adm := franzAdmin(ctx)
	topic := franzTopic(ctx, "configs", 1, map[string]*string{"segment.ms": kadm.StringPtr("1000000")})
	expect := func(key, want string, source kmsg.ConfigSource) {
		eventually(5*time.Second, func() string {
			c := franzConfig(ctx, topic, key)
			if c.MaybeValue() != want || c.Source != source {
				return fmt.Sprintf("%s is %q from %v, want %q from %v", key, c.MaybeValue(), c.Source, want, source)
			}
			return ""
		})
	}
	alter := func(op kadm.IncrementalOp, key string, val *string) error {
		resp := value(value(adm.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: op, Name: key, Value: val}}, topic)).On(topic, nil))
		return resp.Err
	}
	const byTopic, byDefault = kmsg.ConfigSourceDynamicTopicConfig, kmsg.ConfigSourceDefaultConfig
	expect("segment.ms", "1000000", byTopic)
	expect("cleanup.policy", "delete", byDefault)
	expect("max.message.bytes", "1048588", byDefault)
	expect("retention.ms", "604800000", byDefault)
	must(alter(kadm.SetConfig, "retention.ms", kadm.StringPtr("55555")), "set")
	expect("retention.ms", "55555", byTopic)
	expect("segment.ms", "1000000", byTopic)
	must(alter(kadm.AppendConfig, "cleanup.policy", kadm.StringPtr("compact")), "append")
	expect("cleanup.policy", "delete,compact", byTopic)
	must(alter(kadm.SubtractConfig, "cleanup.policy", kadm.StringPtr("delete")), "subtract")
	expect("cleanup.policy", "compact", byTopic)
	must(alter(kadm.DeleteConfig, "retention.ms", nil), "delete")
	expect("retention.ms", "604800000", byDefault)
	wantErr(alter(kadm.SetConfig, "retention.ms", kadm.StringPtr("soon")), kerr.InvalidConfig, "wrong type")
	wantErr(alter(kadm.SetConfig, "no.such.config", kadm.StringPtr("1")), kerr.InvalidConfig, "unknown config")
	wantErr(alter(kadm.AppendConfig, "retention.ms", kadm.StringPtr("1")), kerr.InvalidConfig, "append to a number")

	checked := value(value(adm.ValidateAlterTopicConfigs(ctx, []kadm.AlterConfig{{Name: "retention.ms", Value: kadm.StringPtr("1")}}, topic)).On(topic, nil))
	must(checked.Err, "validate")
	expect("retention.ms", "604800000", byDefault)
	// The old AlterConfigs replaces all of a topic's configs.
	state := value(value(adm.AlterTopicConfigsState(ctx, []kadm.AlterConfig{{Name: "retention.bytes", Value: kadm.StringPtr("777777")}}, topic)).On(topic, nil))
	must(state.Err, "alter state")
	expect("retention.bytes", "777777", byTopic)
	expect("segment.ms", "604800000", byDefault)
	missing := value(value(adm.DescribeTopicConfigs(ctx, topic+"-missing")).On(topic+"-missing", nil))
	wantErr(missing.Err, kerr.UnknownTopicOrPartition, "configs of a missing topic")
	gone := value(value(adm.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Name: "retention.ms", Value: kadm.StringPtr("1")}}, topic+"-missing")).On(topic+"-missing", nil))
	wantErr(gone.Err, kerr.UnknownTopicOrPartition, "alter configs of a missing topic")
}

func franzBrokerConfigs(ctx context.Context) {
	adm := franzAdmin(ctx)
	node := value(adm.ListBrokers(ctx))[0].NodeID
	described := value(adm.DescribeBrokerConfigs(ctx, node))
	equal(len(described), 1, "resources")
	must(described[0].Err, "describe broker")
	got := map[string]kadm.Config{}
	for _, c := range described[0].Configs {
		got[c.Key] = c
	}
	for key, want := range map[string]string{
		"node.id": fmt.Sprint(node), "num.partitions": "1", "auto.create.topics.enable": "true",
		"message.max.bytes": "1048588", "group.initial.rebalance.delay.ms": "0", "group.min.session.timeout.ms": "6000",
	} {
		c, ok := got[key]
		if !ok {
			fail("no config %s", key)
		}
		equal(c.MaybeValue(), want, key)
	}
	equal(got["ssl.keystore.password"].Sensitive, true, "a password is sensitive")
	equal(got["ssl.keystore.password"].Value, nil, "a password is not shown")
}

func franzListConfigResources(ctx context.Context) {
	topic := franzTopic(ctx, "resources", 1, nil)
	listed := value(franzAdmin(ctx).ListConfigResources(ctx, kmsg.ConfigResourceTypeTopic))
	must(listed.Err, "list config resources")
	for _, r := range listed.Resources {
		if r.Name == topic {
			equal(r.Type, kmsg.ConfigResourceTypeTopic, "type")
			return
		}
	}
	fail("topic is not among %d resources", len(listed.Resources))
}

func franzDeleteRecords(ctx context.Context) {
	adm := franzAdmin(ctx)
	topic := franzTopic(ctx, "trim", 2, nil)
	franzProduce(ctx, topic, 0, 200, 2)
	trim := func(p int32, to int64) kadm.DeleteRecordsResponse {
		offsets := kadm.Offsets{}
		offsets.AddOffset(topic, p, to, -1)
		return value(adm.DeleteRecords(ctx, offsets))[topic][p]
	}
	got := trim(0, 60)
	must(got.Err, "delete records")
	equal(got.LowWatermark, int64(60), "low watermark")
	starts := value(adm.ListStartOffsets(ctx, topic))[topic]
	equal([2]int64{starts[0].Offset, starts[1].Offset}, [2]int64{60, 0}, "start offsets")
	equal(value(adm.ListOffsetsAfterMilli(ctx, 0, topic))[topic][0].Offset, int64(60), "first offset by time")
	reader := franzClient(ctx, kgo.ConsumeTopics(topic))
	for _, r := range franzRead(ctx, reader, 140, func(p int32) int64 { return []int64{60, 0}[p] }) {
		franzCheckRecord(r, 2)
	}
	// Below the start there is nothing to fetch any more.
	below := franzFrom(ctx, topic, 0, kgo.NoResetOffset().At(10), kgo.ConsumeResetOffset(kgo.NoResetOffset()))
	wantErr(below.PollFetches(ctx).Errors()[0].Err, kerr.OffsetOutOfRange, "fetch below the start")
	wantErr(trim(0, 101).Err, kerr.OffsetOutOfRange, "delete beyond the end")
	equal(trim(0, 30).LowWatermark, int64(60), "delete below the start")
	equal(trim(1, -1).LowWatermark, int64(100), "delete up to the high watermark")
	// An empty log goes on where it was.
	cl := franzClient(ctx, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	equal(value(cl.ProduceSync(ctx, franzRecord(topic, 201, 2)).First()).Offset, int64(100), "offset after the deletion")
}

func franzLogDirs(ctx context.Context) {
	adm := franzAdmin(ctx)
	topic := franzTopic(ctx, "dirs", 2, nil)
	franzProduce(ctx, topic, 0, 100, 2, kgo.ProducerBatchCompression(kgo.NoCompression()))
	node := value(adm.ListBrokers(ctx))[0].NodeID
	dirs := value(adm.DescribeBrokerLogDirs(ctx, node, kadm.TopicsSet{topic: {0: {}, 1: {}}}))
	must(dirs.Error(), "log dirs")
	equal(len(dirs), 1, "log dirs")
	for p := range int32(2) {
		part, ok := dirs.LookupPartition(topic, p)
		if !ok {
			fail("partition %d is not in %v", p, dirs)
		}
		if part.Size < 4000 || part.Size > 20_000 {
			fail("partition %d has size %d", p, part.Size)
		}
		equal(part.OffsetLag, int64(0), "offset lag")
		equal(part.IsFuture, false, "is future")
	}
	all := value(adm.DescribeAllLogDirs(ctx, nil))
	if _, ok := all[node].LookupPartition(topic, 0); !ok {
		fail("topic is not among all the log dirs'")
	}
	for dir := range dirs {
		if !strings.HasPrefix(dir, "/") {
			fail("log dir %q is not an absolute path", dir)
		}
	}
}

func franzGroupsAdmin(ctx context.Context) {
	adm := franzAdmin(ctx)
	topic, group := franzTopic(ctx, "listing", 2, nil), topicName("listed")
	franzProduce(ctx, topic, 0, 100, 2)
	state := func() string { return value(adm.DescribeGroups(ctx, group))[group].State }
	equal(state(), "Dead", "state before")
	log := newReadLog()
	m := joinFranz(ctx, group, topic, 2, log)
	awaitSplit(2, []int{2}, m)
	log.await(100, 2, true)
	eventually(5*time.Second, func() string {
		if s := state(); s != "Stable" {
			return "state is " + s
		}
		return ""
	})
	for _, filter := range [][]string{nil, {"Stable"}} {
		listed := value(adm.ListGroups(ctx, filter...))[group]
		equal(listed.State, "Stable", "state listed")
		equal(listed.ProtocolType, "consumer", "protocol type listed")
	}
	if _, has := value(adm.ListGroups(ctx, "Empty"))[group]; has {
		fail("a stable group is listed among the empty ones")
	}
	if _, has := value(adm.ListGroupsByType(ctx, []string{"classic"}))[group]; !has {
		fail("the group is not listed among the classic ones")
	}
	lag := value(adm.Lag(ctx, group))[group]
	must(lag.Error(), "lag")
	equal(lag.Lag.Total(), int64(100), "lag before the commit")
	must(m.cl.CommitUncommittedOffsets(ctx), "commit")
	equal(value(adm.Lag(ctx, group))[group].Lag.Total(), int64(0), "lag after the commit")
	wantErr(value(adm.DeleteGroups(ctx, group))[group].Err, kerr.NonEmptyGroup, "delete with a member")
	m.leave()
	equal(state(), "Empty", "state after leaving")
	deleted := value(adm.DeleteGroups(ctx, group, group+"-missing"))
	must(deleted[group].Err, "delete")
	wantErr(deleted[group+"-missing"].Err, kerr.GroupIDNotFound, "delete of a missing group")
	equal(state(), "Dead", "state after deletion")
	equal(len(value(adm.FetchOffsets(ctx, group))), 0, "offsets of the deleted group")
}

func franzGroupOffsets(ctx context.Context) {
	adm := franzAdmin(ctx)
	topic, other := franzTopic(ctx, "co", 2, nil), franzTopic(ctx, "co", 1, nil)
	group := topicName("offsets")
	commit := func(at ...int64) error {
		offsets := kadm.Offsets{}
		for p, o := range at {
			offsets.AddOffset(topic, int32(p), o, -1)
		}
		offsets.AddOffset(other, 0, 5, -1)
		return value(adm.CommitOffsets(ctx, group, offsets)).Error()
	}
	must(commit(10, 20), "commit to a group without members")
	equal(franzCommitted(ctx, adm, group, topic, 2), []int64{10, 20}, "offsets")
	equal(franzCommitted(kadm.RequireStable(ctx), adm, group, topic, 2), []int64{10, 20}, "stable offsets")
	equal(value(adm.DescribeGroups(ctx, group))[group].State, "Empty", "state")
	must(value(adm.DeleteOffsets(ctx, group, kadm.TopicsSet{topic: {1: {}}})).Error(), "delete offset")
	equal(franzCommitted(ctx, adm, group, topic, 2), []int64{10, -1}, "offsets after deletion")
	equal(franzCommitted(ctx, adm, group, other, 1), []int64{5}, "offset of the other topic")
	// Several groups in one request (OffsetFetch 8 and later).
	many := adm.FetchManyOffsets(ctx, group, group+"-missing")
	must(many.Error(), "fetch many")
	got, _ := many[group].Fetched.Lookup(topic, 0)
	equal(got.At, int64(10), "offset by fetch many")
	equal(len(many[group+"-missing"].Fetched), 0, "offsets of a missing group")

	log := newReadLog()
	m := joinFranz(ctx, group, topic, 2, log)
	awaitSplit(2, []int{2}, m)
	wantErr(commit(1, 2), kerr.UnknownMemberID, "commit from outside to a group with members")
	deleted, _ := value(adm.DeleteOffsets(ctx, group, kadm.TopicsSet{topic: {0: {}}, other: {0: {}}})).Lookup(topic, 0)
	wantErr(deleted, kerr.GroupSubscribedToTopic, "delete the offset of a subscribed topic")
	equal(franzCommitted(ctx, adm, group, other, 1), []int64{-1}, "offset of the topic nobody is subscribed to")
	m.leave()
	missing := value(adm.CommitOffsets(ctx, group, kadm.Offsets{topic + "-none": {0: {Topic: topic + "-none", At: 1, LeaderEpoch: -1}}}))
	wantErr(missing.Error(), kerr.UnknownTopicOrPartition, "commit for a missing topic")
}

func franzProduceErrors(ctx context.Context) {
	topic := franzTopic(ctx, "errors", 1, nil)
	cl := value(kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.UnknownTopicRetries(0), kgo.ProducerBatchMaxBytes(8<<20),
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.DisableIdempotentWrite()))
	defer cl.Close()
	_, err := cl.ProduceSync(ctx, &kgo.Record{Topic: topic + "-missing", Value: []byte("x")}).First()
	wantErr(err, kerr.UnknownTopicOrPartition, "topic that must not be created")
	_, err = cl.ProduceSync(ctx, &kgo.Record{Topic: "a b", Value: []byte("x")}).First()
	wantErr(err, kerr.InvalidTopicException, "invalid name")
	_, err = cl.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: make([]byte, 2_000_000)}).First()
	wantErr(err, kerr.MessageTooLarge, "large record")
	equal(value(cl.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte("x")}).First()).Offset, int64(0), "offset of the first good one")

	compacted := franzTopic(ctx, "compacted", 1, map[string]*string{"cleanup.policy": kadm.StringPtr("compact")})
	_, err = cl.ProduceSync(ctx, &kgo.Record{Topic: compacted, Value: []byte("no key")}).First()
	wantErr(err, kerr.InvalidRecord, "no key in a compacted topic")
	old := franzTopic(ctx, "times", 1, map[string]*string{"message.timestamp.before.max.ms": kadm.StringPtr("60000")})
	_, err = cl.ProduceSync(ctx, &kgo.Record{Topic: old, Value: []byte("x"), Timestamp: time.Now().Add(-time.Hour)}).First()
	wantErr(err, kerr.InvalidTimestamp, "record of an hour ago")
	equal(value(cl.ProduceSync(ctx, &kgo.Record{Topic: old, Value: []byte("x"), Timestamp: time.Now()}).First()).Offset, int64(0), "offset of a fresh one")
}

// franzSequences replays raw produce requests of an idempotent producer: a duplicate is answered with its offset and
// written once, a gap is refused.
func franzSequences(ctx context.Context) {
	topic := franzTopic(ctx, "seq", 1, nil)
	cl := franzClient(ctx)
	init := kmsg.NewPtrInitProducerIDRequest()
	init.TransactionTimeoutMillis = 60_000
	id := value(init.RequestWith(ctx, cl))
	must(kerr.ErrorForCode(id.ErrorCode), "init producer id")
	again := value(init.RequestWith(ctx, cl))
	if again.ProducerID <= id.ProducerID {
		fail("producer ids %d then %d", id.ProducerID, again.ProducerID)
	}
	send := func(epoch int16, sequence int32, value_ string) (error, int64) {
		req := kmsg.NewPtrProduceRequest()
		req.Acks, req.TimeoutMillis = -1, 5000
		part := kmsg.NewProduceRequestTopicPartition()
		part.Records = batchOf(id.ProducerID, epoch, sequence, value_)
		t := kmsg.NewProduceRequestTopic()
		t.Topic = topic
		t.TopicID = value(franzAdmin(ctx).ListTopics(ctx, topic))[topic].ID
		t.Partitions = append(t.Partitions, part)
		req.Topics = append(req.Topics, t)
		got := value(req.RequestWith(ctx, cl)).Topics[0].Partitions[0]
		return kerr.ErrorForCode(got.ErrorCode), got.BaseOffset
	}
	for i := range int32(6) {
		err, at := send(0, i, fmt.Sprint("v", i))
		must(err, "produce")
		equal(at, int64(i), "offset")
	}
	for i := int32(1); i < 6; i++ { // the last five batches are remembered
		err, at := send(0, i, fmt.Sprint("v", i))
		must(err, "duplicate")
		equal(at, int64(i), "offset of the duplicate")
	}
	err, _ := send(0, 9, "gap")
	wantErr(err, kerr.OutOfOrderSequenceNumber, "gap in the sequence")
	err, at := send(1, 0, "v6") // a new epoch starts at 0
	must(err, "new epoch")
	equal(at, int64(6), "offset in the new epoch")
	err, _ = send(0, 6, "zombie")
	wantErr(err, kerr.InvalidProducerEpoch, "old epoch")
	for i, r := range franzRead(ctx, franzClient(ctx, kgo.ConsumeTopics(topic)), 7, fromZero) {
		equal(string(r.Value), fmt.Sprint("v", i), "value")
	}
}
