package main

import (
	"context"
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

func addSaramaAdmin() {
	add("sarama/admin/cluster", func(ctx context.Context) {
		brokers, controller, err := saramaAdmin(ctx).DescribeCluster()
		must(err, "describe cluster")
		equal(len(brokers), 1, "brokers")
		equal(brokers[0].Addr(), bootstrap, "address")
		equal(controller, brokers[0].ID(), "controller")
	})
	add("sarama/admin/topics", saramaTopics)
	add("sarama/admin/configs", saramaConfigs)
	add("sarama/admin/delete records", saramaDeleteRecords)
	add("sarama/admin/log dirs", saramaLogDirs)
	add("sarama/admin/groups", saramaGroupsAdmin)
}

func saramaTopics(ctx context.Context) {
	adm := saramaAdmin(ctx)
	topic := topicName("sarama-topics")
	detail := &sarama.TopicDetail{NumPartitions: 3, ReplicationFactor: 1, ConfigEntries: map[string]*string{"retention.ms": ptr("4242")}}
	must(adm.CreateTopic(topic, detail, true), "validate")
	must(adm.CreateTopic(topic, detail, false), "create after a validation")
	franzAwaitTopic(ctx, topic, 3)
	listed := value(adm.ListTopics())[topic]
	equal(listed.NumPartitions, int32(3), "partitions listed")
	equal(listed.ReplicationFactor, int16(1), "replication factor listed")
	equal(*listed.ConfigEntries["retention.ms"], "4242", "config listed")
	described := value(adm.DescribeTopics([]string{topic, topic + "-missing"}))
	for _, d := range described {
		if d.Name == topic {
			equal(d.Err, sarama.ErrNoError, "describe")
			equal(len(d.Partitions), 3, "partitions described")
		} else {
			equal(d.Err, sarama.ErrUnknownTopicOrPartition, "describe a missing topic")
		}
	}
	create := func(name string, d sarama.TopicDetail) error { return adm.CreateTopic(name, &d, false) }
	wantErr(create(topic, *detail), sarama.ErrTopicAlreadyExists, "create again")
	wantErr(create("a/b", *detail), sarama.ErrInvalidTopic, "invalid name")
	wantErr(create(topic+"-x", sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 3}), sarama.ErrInvalidReplicationFactor, "three replicas")
	wantErr(create(topic+"-x", sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1, ConfigEntries: map[string]*string{"nope": ptr("1")}}), sarama.ErrInvalidConfig, "unknown config")
	must(adm.CreatePartitions(topic, 5, nil, false), "create partitions")
	franzAwaitTopic(ctx, topic, 5)
	wantErr(adm.CreatePartitions(topic, 2, nil, false), sarama.ErrInvalidPartitions, "fewer partitions")
	must(adm.DeleteTopic(topic), "delete")
	wantErr(adm.DeleteTopic(topic), sarama.ErrUnknownTopicOrPartition, "delete again")
	eventually(5*time.Second, func() string {
		if _, has := value(adm.ListTopics())[topic]; has {
			return "deleted topic is listed"
		}
		return ""
	})
}

func ptr(s string) *string { return &s }

func saramaConfigs(ctx context.Context) {
	adm := saramaAdmin(ctx)
	topic := saramaTopic(ctx, "configs", 1, map[string]*string{"segment.ms": ptr("100000")})
	expect := func(name, want string, source sarama.ConfigSource) {
		eventually(5*time.Second, func() string {
			results := value(adm.DescribeConfigs([]*sarama.ConfigResource{{Type: sarama.TopicResource, Name: topic, ConfigNames: []string{name}}}, sarama.DescribeConfigsOptions{IncludeSynonyms: true, IncludeDocumentation: true}))
			equal(len(results), 1, "resources")
			equal(len(results[0].Configs), 1, "configs asked for by name")
			c := results[0].Configs[0]
			if c.Value != want || c.Source != source {
				return fmt.Sprintf("%s is %q from %v, want %q from %v", name, c.Value, c.Source, want, source)
			}
			return ""
		})
	}
	expect("segment.ms", "100000", sarama.SourceTopic)
	expect("retention.ms", "604800000", sarama.SourceDefault)
	must(adm.IncrementalAlterConfig(sarama.TopicResource, topic, map[string]sarama.IncrementalAlterConfigsEntry{
		"retention.ms": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: ptr("777")}}, false), "incremental alter")
	expect("retention.ms", "777", sarama.SourceTopic)
	expect("segment.ms", "100000", sarama.SourceTopic)
	must(adm.AlterConfig(sarama.TopicResource, topic, map[string]*string{"max.message.bytes": ptr("5000")}, false), "alter")
	expect("max.message.bytes", "5000", sarama.SourceTopic)
	expect("segment.ms", "604800000", sarama.SourceDefault)
	wantErr(adm.AlterConfig(sarama.TopicResource, topic, map[string]*string{"max.message.bytes": ptr("many")}, false), sarama.ErrInvalidConfig, "wrong type")
	// The new limit is the log's at once.
	p := value(sarama.NewSyncProducer([]string{bootstrap}, saramaConfig()))
	defer p.Close()
	_, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.ByteEncoder(make([]byte, 10_000))})
	wantErr(err, sarama.ErrMessageSizeTooLarge, "record beyond the topic's limit")
}

func saramaDeleteRecords(ctx context.Context) {
	adm := saramaAdmin(ctx)
	topic := saramaTopic(ctx, "trim", 1, nil)
	saramaProduce(topic, 0, 100, 1, saramaConfig())
	must(adm.DeleteRecords(topic, map[int32]int64{0: 40}), "delete records")
	equal(value(saramaClient(ctx, saramaConfig()).GetOffset(topic, 0, sarama.OffsetOldest)), int64(40), "oldest offset")
	for _, m := range saramaRead(ctx, saramaConfig(), topic, 0, sarama.OffsetOldest, 40, 100) {
		saramaCheckMessage(m, 1)
	}
	if err := adm.DeleteRecords(topic, map[int32]int64{0: 500}); err == nil {
		fail("deleted beyond the end")
	}
}

func saramaLogDirs(ctx context.Context) {
	adm := saramaAdmin(ctx)
	topic := saramaTopic(ctx, "dirs", 1, nil)
	saramaProduce(topic, 0, 100, 1, saramaConfig())
	brokers, _, err := adm.DescribeCluster()
	must(err, "describe cluster")
	for _, dirs := range value(adm.DescribeLogDirs([]int32{brokers[0].ID()})) {
		for _, dir := range dirs {
			equal(dir.ErrorCode, sarama.ErrNoError, "log dir")
			for _, t := range dir.Topics {
				if t.Topic == topic && t.Partitions[0].Size > 1000 {
					return
				}
			}
		}
	}
	fail("topic is in no log dir")
}

func saramaGroupsAdmin(ctx context.Context) {
	adm := saramaAdmin(ctx)
	topic, group := saramaTopic(ctx, "groups", 2, nil), topicName("sarama-g")
	saramaProduce(topic, 0, 100, 2, saramaConfig())
	log := newReadLog()
	m := joinSarama(ctx, group, topic, 2, log, nil)
	awaitSplit(2, []int{2}, m)
	log.await(100, 2, true)
	equal(value(adm.ListConsumerGroups())[group], "consumer", "protocol type listed")
	d := value(adm.DescribeConsumerGroups([]string{group}))[0]
	equal(d.State, "Stable", "state")
	for _, member := range d.Members {
		equal(member.ClientId, "compat-sarama", "client id")
		equal(value(member.GetMemberAssignment()).Topics[topic], []int32{0, 1}, "assignment")
	}
	wantErr(adm.DeleteConsumerGroup(group), sarama.ErrNonEmptyGroup, "delete with a member")
	m.leave()
	must(adm.DeleteConsumerGroupOffset(group, topic, 0), "delete offset")
	equal(saramaCommitted(ctx, group, topic, 2), []int64{-1, 50}, "committed")
	altered := value(adm.AlterConsumerGroupOffsets(group, map[string]map[int32]sarama.OffsetAndMetadata{topic: {0: {Offset: 7, LeaderEpoch: -1, Metadata: "m"}}}, nil))
	equal(altered.Errors[topic][0], sarama.ErrNoError, "alter offset")
	equal(saramaCommitted(ctx, group, topic, 2), []int64{7, 50}, "committed after the change")
	must(adm.DeleteConsumerGroup(group), "delete")
	wantErr(adm.DeleteConsumerGroup(group), sarama.ErrGroupIDNotFound, "delete again")
	equal(value(adm.DescribeConsumerGroups([]string{group}))[0].State, "Dead", "state of the deleted group")
}
