package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"
)

// saramaConfig speaks as the newest Kafka that Sarama knows, unless changed.
func saramaConfig() *sarama.Config {
	c := sarama.NewConfig()
	c.ClientID = "compat-sarama"
	c.Version = sarama.MaxVersion
	c.Net.MaxOpenRequests = 1 // with more, Sarama itself may send records of one partition out of order
	c.Producer.Retry.Max = 0  // without idempotence a retry may write twice or out of order; better to be told
	c.Producer.Return.Successes = true
	c.Producer.Partitioner = sarama.NewManualPartitioner
	c.Consumer.Return.Errors = true
	c.Metadata.Retry.Max = 20
	c.Metadata.Retry.Backoff = 100 * time.Millisecond
	return c
}

func saramaAdmin(ctx context.Context) sarama.ClusterAdmin {
	adm := value(sarama.NewClusterAdmin([]string{bootstrap}, saramaConfig()))
	context.AfterFunc(ctx, func() { adm.Close() })
	return adm
}

func saramaClient(ctx context.Context, c *sarama.Config) sarama.Client {
	cl := value(sarama.NewClient([]string{bootstrap}, c))
	context.AfterFunc(ctx, func() { cl.Close() })
	return cl
}

func saramaTopic(ctx context.Context, prefix string, partitions int32, configs map[string]*string) string {
	topic := topicName("sarama-" + prefix)
	must(saramaAdmin(ctx).CreateTopic(topic, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1, ConfigEntries: configs}, false), "create topic")
	franzAwaitTopic(ctx, topic, int(partitions))
	return topic
}

func saramaMessage(topic string, i, partitions int) *sarama.ProducerMessage {
	return &sarama.ProducerMessage{
		Topic: topic, Partition: int32(i % partitions), Timestamp: timeOf(i),
		Key: sarama.StringEncoder(keyOf(i)), Value: sarama.StringEncoder(valueOf(i)),
		Headers:  []sarama.RecordHeader{{Key: []byte("n"), Value: fmt.Append(nil, i)}},
		Metadata: i,
	}
}

// saramaProduce sends records from..to-1 through an asynchronous producer and checks the offsets they got.
func saramaProduce(topic string, from, to, partitions int, c *sarama.Config) {
	cl := value(sarama.NewClient([]string{bootstrap}, c))
	defer cl.Close()
	// Connect first: now and then Sarama fails records with ErrNotConnected while it is still connecting.
	leader := value(cl.Leader(topic, 0))
	if err := leader.Open(c); err != nil {
		wantErr(err, sarama.ErrAlreadyConnected, "open")
	}
	if connected, err := leader.Connected(); !connected {
		fail("connect: %v", err)
	}
	p := value(sarama.NewAsyncProducerFromClient(cl))
	go func() {
		for i := from; i < to; i++ {
			p.Input() <- saramaMessage(topic, i, partitions)
		}
	}()
	var failed error
	for range to - from {
		select {
		case m := <-p.Successes():
			if want := int64(m.Metadata.(int) / partitions); c.Producer.RequiredAcks != sarama.NoResponse && m.Offset != want {
				failed = fmt.Errorf("record %d got offset %d, want %d", m.Metadata, m.Offset, want)
			}
		case err := <-p.Errors():
			failed = err
		case <-time.After(20 * time.Second):
			fail("no answer for some of the records")
		}
	}
	must(failed, "produce")
	must(p.Close(), "close the producer") // not before all is answered: records in flight may be lost or swapped by Sarama
}

func saramaCheckMessage(m *sarama.ConsumerMessage, partitions int) {
	i := int(m.Offset)*partitions + int(m.Partition)
	equal(string(m.Key), keyOf(i), "key")
	equal(string(m.Value), valueOf(i), "value")
	equal(m.Timestamp.UnixMilli(), timeOf(i).UnixMilli(), "timestamp")
	equal(len(m.Headers), 1, "headers")
	equal(string(m.Headers[0].Key)+"="+string(m.Headers[0].Value), fmt.Sprintf("n=%d", i), "header")
}

// saramaRead reads offsets from..to-1 of one partition, starting at the given place.
func saramaRead(ctx context.Context, c *sarama.Config, topic string, partition int32, start, from, to int64) []*sarama.ConsumerMessage {
	consumer := value(sarama.NewConsumer([]string{bootstrap}, c))
	defer consumer.Close()
	pc := value(consumer.ConsumePartition(topic, partition, start))
	defer pc.AsyncClose()
	var out []*sarama.ConsumerMessage
	for next := from; next < to; next++ {
		select {
		case m := <-pc.Messages():
			equal(m.Offset, next, "next offset")
			out = append(out, m)
		case err := <-pc.Errors():
			must(err.Err, "consume")
		case <-ctx.Done():
			fail("timed out waiting for offset %d", next)
		}
	}
	return out
}

func addSarama() {
	codecs := []sarama.CompressionCodec{sarama.CompressionNone, sarama.CompressionGZIP, sarama.CompressionSnappy, sarama.CompressionLZ4, sarama.CompressionZSTD}
	acks := map[string]sarama.RequiredAcks{"0": sarama.NoResponse, "1": sarama.WaitForLocal, "all": sarama.WaitForAll, "idempotent": sarama.WaitForAll}
	for _, codec := range codecs {
		for _, name := range []string{"0", "1", "all", "idempotent"} {
			add(fmt.Sprintf("sarama/produce/%s/acks=%s", codec, name), func(ctx context.Context) {
				c := saramaConfig()
				c.Producer.Compression, c.Producer.RequiredAcks = codec, acks[name]
				if name == "idempotent" {
					c.Producer.Idempotent, c.Producer.Retry.Max = true, 3 // it wants to be allowed to retry
				}
				saramaRoundTrip(ctx, c, uint8(codec))
			})
		}
	}
	// Sarama asks with the request versions of the Kafka it is told to meet.
	for _, v := range []sarama.KafkaVersion{sarama.V2_1_0_0, sarama.V2_3_0_0, sarama.V2_5_0_0, sarama.V2_8_0_0, sarama.V3_3_0_0, sarama.V3_6_0_0, sarama.V4_0_0_0} {
		add("sarama/produce/as client of "+v.String(), func(ctx context.Context) {
			c := saramaConfig()
			c.Version = v
			saramaRoundTrip(ctx, c, 0)
		})
	}
	add("sarama/produce/sync", saramaSync)
	add("sarama/produce/errors", saramaProduceErrors)
	add("sarama/consume/ends and offsets", saramaEnds)
	add("sarama/consume/newest", saramaNewest)
	add("sarama/consume/out of range", saramaOutOfRange)
	add("sarama/offsets/for timestamps", saramaOffsets)
}

func saramaRoundTrip(ctx context.Context, c *sarama.Config, attr uint8) {
	const records, partitions = 400, 2
	topic := saramaTopic(ctx, "rt", partitions, nil)
	saramaProduce(topic, 0, records/2, partitions, c)
	franzAwaitRecords(ctx, topic, records/2)
	saramaProduce(topic, records/2, records, partitions, c)
	franzAwaitRecords(ctx, topic, records)
	for p := range int32(partitions) {
		for _, m := range saramaRead(ctx, c, topic, p, sarama.OffsetOldest, 0, records/partitions) {
			saramaCheckMessage(m, partitions)
		}
	}
	// Sarama does not tell the codec of what it read; franz-go does.
	for _, r := range franzRead(ctx, franzFrom(ctx, topic, 0, kgo.NewOffset().AtStart()), records/partitions, fromZero) {
		equal(r.Attrs.CompressionType(), attr, "codec of the stored batch")
		equal(r.ProducerID >= 0, c.Producer.Idempotent, "record has a producer id")
	}
}

func saramaSync(ctx context.Context) {
	topic := saramaTopic(ctx, "sync", 2, nil)
	p := value(sarama.NewSyncProducer([]string{bootstrap}, saramaConfig()))
	defer p.Close()
	for i := range 20 {
		partition, offset, err := p.SendMessage(saramaMessage(topic, i, 2))
		must(err, "send")
		equal(partition, int32(i%2), "partition")
		equal(offset, int64(i/2), "offset")
	}
	_, offset, err := p.SendMessage(&sarama.ProducerMessage{Topic: topic, Partition: 0, Key: sarama.StringEncoder("tombstone")})
	must(err, "send tombstone")
	equal(offset, int64(10), "offset of the tombstone")
	got := saramaRead(ctx, saramaConfig(), topic, 0, sarama.OffsetOldest, 0, 11)
	for _, m := range got[:10] {
		saramaCheckMessage(m, 2)
	}
	equal(len(got[10].Value), 0, "length of the tombstone's value")
	auto := topicName("sarama-auto")
	_, offset, err = p.SendMessage(&sarama.ProducerMessage{Topic: auto, Value: sarama.StringEncoder("x")})
	must(err, "send to a topic that is created for it")
	equal(offset, int64(0), "offset")
}

func saramaProduceErrors(ctx context.Context) {
	topic := saramaTopic(ctx, "errors", 1, nil)
	c := saramaConfig()
	c.Producer.MaxMessageBytes = 8 << 20
	c.Metadata.Retry.Max = 1
	c.Metadata.AllowAutoTopicCreation = false
	p := value(sarama.NewSyncProducer([]string{bootstrap}, c))
	defer p.Close()
	_, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.ByteEncoder(make([]byte, 2_000_000))})
	wantErr(err, sarama.ErrMessageSizeTooLarge, "large record")
	_, _, err = p.SendMessage(&sarama.ProducerMessage{Topic: topic + "-missing", Value: sarama.StringEncoder("x")})
	wantErr(err, sarama.ErrUnknownTopicOrPartition, "topic that must not be created")
	_, _, err = p.SendMessage(&sarama.ProducerMessage{Topic: "a b", Value: sarama.StringEncoder("x")})
	wantErr(err, sarama.ErrInvalidTopic, "invalid name")
	_, offset, err := p.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder("x")})
	must(err, "send after errors")
	equal(offset, int64(0), "offset of the first good one")
}

func saramaEnds(ctx context.Context) {
	topic := saramaTopic(ctx, "ends", 1, nil)
	saramaProduce(topic, 0, 100, 1, saramaConfig())
	for _, start := range []int64{0, 1, 50, 99} {
		for _, m := range saramaRead(ctx, saramaConfig(), topic, 0, start, start, 100) {
			saramaCheckMessage(m, 1)
		}
	}
	c := saramaConfig()
	c.Consumer.Fetch.Default, c.Consumer.Fetch.Min = 100, 1 // less than a batch: Sarama grows it where it must
	for _, m := range saramaRead(ctx, c, topic, 0, sarama.OffsetOldest, 0, 100) {
		saramaCheckMessage(m, 1)
	}
}

func saramaNewest(ctx context.Context) {
	topic := saramaTopic(ctx, "newest", 1, nil)
	saramaProduce(topic, 0, 10, 1, saramaConfig())
	consumer := value(sarama.NewConsumer([]string{bootstrap}, saramaConfig()))
	defer consumer.Close()
	pc := value(consumer.ConsumePartition(topic, 0, sarama.OffsetNewest)) // looks the offset up before it returns
	defer pc.AsyncClose()
	saramaProduce(topic, 10, 20, 1, saramaConfig())
	for next := int64(10); next < 20; next++ {
		select {
		case m := <-pc.Messages():
			equal(m.Offset, next, "next offset")
			saramaCheckMessage(m, 1)
		case <-ctx.Done():
			fail("timed out waiting for offset %d", next)
		}
	}
	equal(pc.HighWaterMarkOffset(), int64(20), "high watermark")
}

func saramaOutOfRange(ctx context.Context) {
	topic := saramaTopic(ctx, "range", 1, nil)
	saramaProduce(topic, 0, 10, 1, saramaConfig())
	consumer := value(sarama.NewConsumer([]string{bootstrap}, saramaConfig()))
	defer consumer.Close()
	_, err := consumer.ConsumePartition(topic, 0, 1000)
	wantErr(err, sarama.ErrOffsetOutOfRange, "consume at 1000")
}

func saramaOffsets(ctx context.Context) {
	topic := saramaTopic(ctx, "offsets", 1, nil)
	for i := 0; i < 100; i += 20 {
		saramaProduce(topic, i, i+20, 1, saramaConfig())
	}
	cl := saramaClient(ctx, saramaConfig())
	for _, row := range []struct {
		at, want int64
	}{
		{sarama.OffsetOldest, 0}, {sarama.OffsetNewest, 100},
		{timeOf(0).UnixMilli() - 1000, 0}, {timeOf(33).UnixMilli(), 33}, {timeOf(33).UnixMilli() + 1, 34},
		{timeOf(99).UnixMilli(), 99}, {timeOf(99).UnixMilli() + 1, -1},
	} {
		equal(value(cl.GetOffset(topic, 0, row.at)), row.want, fmt.Sprintf("offset at %d", row.at))
	}
	listed := value(saramaAdmin(ctx).ListOffsets(map[string]map[int32]int64{topic: {0: timeOf(42).UnixMilli()}}, nil))[topic][0]
	wantErr(listed.Err, sarama.ErrNoError, "list offsets") // Sarama's way to say that there is none
	equal(listed.Offset, int64(42), "offset listed")
	equal(listed.Timestamp, timeOf(42).UnixMilli(), "timestamp listed")
	_, err := cl.GetOffset(topic, 5, sarama.OffsetNewest)
	if !errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
		fail("offset of a missing partition: %v", err)
	}
}
