package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// franzClient opens a client that is closed with ctx's check.
func franzClient(ctx context.Context, opts ...kgo.Opt) *kgo.Client {
	cl := value(kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(bootstrap),
		kgo.ClientID("compat-franz"),
		kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.AllowAutoTopicCreation(),
	}, opts...)...))
	context.AfterFunc(ctx, cl.Close)
	return cl
}

func franzAdmin(ctx context.Context) *kadm.Client { return kadm.NewClient(franzClient(ctx)) }

func franzTopic(ctx context.Context, prefix string, partitions int32, configs map[string]*string) string {
	topic := topicName(prefix)
	adm := franzAdmin(ctx)
	_, err := adm.CreateTopic(ctx, partitions, 1, configs, topic)
	must(err, "create topic")
	franzAwaitTopic(ctx, topic, int(partitions))
	return topic
}

// franzAwaitTopic waits until the broker serves a created topic: the controller answers before the broker has heard of it.
func franzAwaitTopic(ctx context.Context, topic string, partitions int) {
	adm := franzAdmin(ctx)
	eventually(10*time.Second, func() string {
		listed := value(adm.ListEndOffsets(ctx, topic))
		if err := listed.Error(); err != nil {
			return err.Error()
		}
		if n := len(listed[topic]); n != partitions {
			return fmt.Sprintf("%s has %d partitions, want %d", topic, n, partitions)
		}
		return ""
	})
}

// franzAwaitRecords waits until a topic holds so many records: acks=0 comes back before the broker has written.
func franzAwaitRecords(ctx context.Context, topic string, want int64) {
	adm := franzAdmin(ctx)
	eventually(10*time.Second, func() string {
		total := int64(0)
		value(adm.ListEndOffsets(ctx, topic)).Each(func(o kadm.ListedOffset) { total += o.Offset })
		if total != want {
			return fmt.Sprintf("%d records in the topic, want %d", total, want)
		}
		return ""
	})
}

// The records of a test: number i goes to partition i % partitions, so its offset there is i / partitions.

var baseTime = time.UnixMilli(time.Now().UnixMilli() - 3_600_000)

func timeOf(i int) time.Time { return baseTime.Add(time.Duration(i) * 10 * time.Millisecond) }
func keyOf(i int) string     { return fmt.Sprintf("key-%d", i) }
func valueOf(i int) string   { return fmt.Sprintf("value-%d-%s", i, strings.Repeat("abcd", i%50)) }

func franzRecord(topic string, i, partitions int) *kgo.Record {
	return &kgo.Record{
		Topic: topic, Partition: int32(i % partitions), Timestamp: timeOf(i),
		Key: []byte(keyOf(i)), Value: []byte(valueOf(i)),
		Headers: []kgo.RecordHeader{{Key: "n", Value: fmt.Append(nil, i)}, {Key: "empty", Value: []byte{}}},
	}
}

// franzProduce sends records from..to-1 and checks the offsets the broker gave them, if it gives any.
func franzProduce(ctx context.Context, topic string, from, to, partitions int, opts ...kgo.Opt) {
	cl := franzClient(ctx, append(opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	defer cl.Close()
	acked := cl.OptValue(kgo.RequiredAcks) != kgo.NoAck()
	var records []*kgo.Record
	for i := from; i < to; i++ {
		records = append(records, franzRecord(topic, i, partitions))
	}
	must(cl.ProduceSync(ctx, records...).FirstErr(), "produce")
	if acked {
		for n, r := range records {
			equal(r.Offset, int64((from+n)/partitions), "offset of produced record")
		}
	}
}

func franzCheckRecord(r *kgo.Record, partitions int) {
	i := int(r.Offset)*partitions + int(r.Partition)
	equal(string(r.Key), keyOf(i), "key")
	equal(string(r.Value), valueOf(i), "value")
	equal(r.Timestamp.UnixMilli(), timeOf(i).UnixMilli(), "timestamp")
	equal(len(r.Headers), 2, "headers")
	equal(r.Headers[0].Key+"="+string(r.Headers[0].Value), fmt.Sprintf("n=%d", i), "header")
	equal(r.Headers[1].Key+"="+string(r.Headers[1].Value), "empty=", "second header")
}

// franzRead reads n records, which must come in offset order per partition starting at first.
func franzRead(ctx context.Context, cl *kgo.Client, n int, first func(partition int32) int64) []*kgo.Record {
	next := map[int32]int64{}
	var out []*kgo.Record
	for len(out) < n {
		fetches := cl.PollFetches(ctx)
		for _, e := range fetches.Errors() {
			fail("fetch of %s-%d after %d of %d records: %w", e.Topic, e.Partition, len(out), n, e.Err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			want, seen := next[r.Partition]
			if !seen {
				want = first(r.Partition)
			}
			equal(r.Offset, want, fmt.Sprintf("next offset of partition %d", r.Partition))
			next[r.Partition] = want + 1
			out = append(out, r)
		})
	}
	equal(len(out), n, "records read")
	return out
}

func fromZero(int32) int64 { return 0 }

// franzFrom opens a consumer of one partition.
func franzFrom(ctx context.Context, topic string, partition int32, at kgo.Offset, opts ...kgo.Opt) *kgo.Client {
	return franzClient(ctx, append(opts,
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: at}}))...)
}

var franzCodecs = []struct {
	name  string
	codec kgo.CompressionCodec
	attr  uint8
}{
	{"none", kgo.NoCompression(), 0},
	{"gzip", kgo.GzipCompression(), 1},
	{"snappy", kgo.SnappyCompression(), 2},
	{"lz4", kgo.Lz4Compression(), 3},
	{"zstd", kgo.ZstdCompression(), 4},
}

func addFranz() {
	acks := []struct {
		name string
		opts []kgo.Opt
	}{
		{"0", []kgo.Opt{kgo.RequiredAcks(kgo.NoAck()), kgo.DisableIdempotentWrite()}},
		{"1", []kgo.Opt{kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite()}},
		{"all", []kgo.Opt{kgo.RequiredAcks(kgo.AllISRAcks()), kgo.DisableIdempotentWrite()}},
		{"idempotent", nil},
	}
	for _, c := range franzCodecs {
		for _, a := range acks {
			add("franz/produce/"+c.name+"/acks="+a.name, func(ctx context.Context) {
				opts := append([]kgo.Opt{kgo.ProducerBatchCompression(c.codec)}, a.opts...)
				franzRoundTrip(ctx, c.attr, a.name == "idempotent", opts)
			})
		}
	}
	add("franz/produce/auto-created topic", franzAutoCreate)
	add("franz/produce/stream of 20 MB", franzStream)
	add("franz/produce/large record", franzLargeRecord)
	add("franz/produce/null key and value", franzNulls)
	add("franz/produce/LogAppendTime", franzLogAppendTime)
	add("franz/produce/broker recompresses", franzRecompress)
	add("franz/consume/beginning", franzBeginning)
	add("franz/consume/end", franzEnd)
	add("franz/consume/relative to end", franzRelative)
	add("franz/consume/by timestamp", franzByTimestamp)
	add("franz/consume/seek", franzSeek)
	add("franz/consume/out of range", franzOutOfRange)
	add("franz/consume/small max bytes", franzSmallMaxBytes)
	add("franz/consume/long poll wakes", franzLongPoll)
	add("franz/consume/long poll times out", franzLongPollTimesOut)
	add("franz/consume/regex finds new topic", franzRegex)
	add("franz/consume/without fetch sessions", franzNoSessions)
	add("franz/offsets/for timestamps", franzListOffsets)
	add("franz/offsets/for leader epoch", franzLeaderEpoch)
}

func franzRoundTrip(ctx context.Context, attr uint8, idempotent bool, opts []kgo.Opt) {
	const records, partitions = 600, 3
	topic := franzTopic(ctx, "rt", partitions, nil)
	franzProduce(ctx, topic, 0, records/2, partitions, opts...)
	franzAwaitRecords(ctx, topic, records/2)
	franzProduce(ctx, topic, records/2, records, partitions, opts...)
	franzAwaitRecords(ctx, topic, records)
	cl := franzClient(ctx, kgo.ConsumeTopics(topic))
	for _, r := range franzRead(ctx, cl, records, fromZero) {
		franzCheckRecord(r, partitions)
		equal(r.Attrs.CompressionType(), attr, "codec of the stored batch")
		equal(r.Attrs.TimestampType(), int8(0), "timestamp type")
		equal(r.ProducerID >= 0, idempotent, "record has a producer id")
	}
	if idempotent {
		described := value(franzAdmin(ctx).DescribeProducers(ctx, kadm.TopicsSet{topic: {0: {}, 1: {}, 2: {}}}))
		for p, part := range described[topic].Partitions {
			must(part.Err, "describe producers")
			equal(len(part.ActiveProducers), 2, fmt.Sprintf("producers of partition %d", p))
			for _, producer := range part.ActiveProducers {
				equal(producer.LastSequence, int32(records/2/partitions-1), "last sequence")
				equal(producer.ProducerEpoch, int16(0), "producer epoch")
			}
		}
	}
}

func franzAutoCreate(ctx context.Context) {
	topic := topicName("auto")
	cl := franzClient(ctx, kgo.UnknownTopicRetries(50))
	for i := range 3 {
		r := value(cl.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte(valueOf(i))}).First())
		equal(r.Partition, int32(0), "partition")
		equal(r.Offset, int64(i), "offset")
	}
	equal(len(value(kadm.NewClient(cl).ListTopics(ctx, topic))[topic].Partitions), 1, "partitions")
}

// franzStream writes many batches with several requests in flight and reads them back whole and in order.
func franzStream(ctx context.Context) {
	const records, partitions, size = 20_000, 4, 1000
	topic := franzTopic(ctx, "stream", partitions, nil)
	payload := func(i int) []byte { return fmt.Appendf(nil, "%-*d", size, i) }
	cl := franzClient(ctx, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ProducerBatchMaxBytes(64<<10))
	errs := make(chan error, records)
	for i := range records {
		cl.Produce(ctx, &kgo.Record{Topic: topic, Partition: int32(i % partitions), Value: payload(i)},
			func(r *kgo.Record, err error) {
				if err == nil && r.Offset != int64(i/partitions) {
					err = fmt.Errorf("record %d got offset %d", i, r.Offset)
				}
				errs <- err
			})
	}
	must(cl.Flush(ctx), "flush")
	for range records {
		must(<-errs, "produce")
	}
	for _, r := range franzRead(ctx, franzClient(ctx, kgo.ConsumeTopics(topic)), records, fromZero) {
		if want := payload(int(r.Offset)*partitions + int(r.Partition)); !bytes.Equal(r.Value, want) {
			fail("value at %d-%d: got %.20q", r.Partition, r.Offset, r.Value)
		}
	}
}

func franzLargeRecord(ctx context.Context) {
	topic := franzTopic(ctx, "large", 1, nil)
	cl := franzClient(ctx, kgo.ProducerBatchMaxBytes(8<<20), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.DisableIdempotentWrite())
	big := bytes.Repeat([]byte("x"), 900_000) // the broker takes 1 MiB by default
	equal(value(cl.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: big}).First()).Offset, int64(0), "offset")
	_, err := cl.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: bytes.Repeat(big, 2)}).First()
	wantErr(err, kerr.MessageTooLarge, "record of 1.8 MB")
	adm := kadm.NewClient(cl)
	_, err = adm.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "max.message.bytes", Value: kadm.StringPtr("4000000")}}, topic)
	must(err, "alter configs")
	eventually(5*time.Second, func() string { // the change reaches the log a moment after the answer
		r, err := cl.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: bytes.Repeat(big, 2)}).First()
		if err != nil {
			return err.Error()
		}
		equal(r.Offset, int64(1), "offset")
		return ""
	})
	got := franzRead(ctx, franzClient(ctx, kgo.ConsumeTopics(topic)), 2, fromZero)
	equal(len(got[0].Value), 900_000, "size of first")
	equal(len(got[1].Value), 1_800_000, "size of second")
}

func franzNulls(ctx context.Context) {
	topic := franzTopic(ctx, "null", 1, nil)
	cl := franzClient(ctx)
	must(cl.ProduceSync(ctx,
		&kgo.Record{Topic: topic, Value: []byte("no key")},
		&kgo.Record{Topic: topic, Key: []byte("tombstone")},
		&kgo.Record{Topic: topic, Key: []byte{}, Value: []byte{}},
		&kgo.Record{Topic: topic, Key: []byte("h"), Headers: []kgo.RecordHeader{{Key: "null"}}},
	).FirstErr(), "produce")
	got := franzRead(ctx, franzClient(ctx, kgo.ConsumeTopics(topic)), 4, fromZero)
	equal(got[0].Key, nil, "key")
	equal(string(got[0].Value), "no key", "value")
	equal(string(got[1].Key), "tombstone", "key")
	equal(got[1].Value, nil, "value")
	equal(got[2].Key, []byte{}, "empty key")
	equal(got[2].Value, []byte{}, "empty value")
	equal(got[3].Headers, []kgo.RecordHeader{{Key: "null"}}, "headers")
}

func franzLogAppendTime(ctx context.Context) {
	topic := franzTopic(ctx, "lat", 1, map[string]*string{"message.timestamp.type": kadm.StringPtr("LogAppendTime")})
	before := time.Now().Add(-time.Second)
	cl := franzClient(ctx)
	for i := range 3 {
		value(cl.ProduceSync(ctx, franzRecord(topic, i, 1)).First()) // created an hour ago
	}
	for i, r := range franzRead(ctx, franzClient(ctx, kgo.ConsumeTopics(topic)), 3, fromZero) {
		equal(string(r.Value), valueOf(i), "value")
		equal(r.Attrs.TimestampType(), int8(1), "timestamp type")
		if r.Timestamp.Before(before) || r.Timestamp.After(time.Now().Add(time.Second)) {
			fail("timestamp %v is not the time of the append", r.Timestamp)
		}
	}
}

// franzRecompress: a topic with compression.type stores that codec whatever the producer sends.
func franzRecompress(ctx context.Context) {
	for _, c := range franzCodecs[1:] {
		topic := franzTopic(ctx, "recompress", 1, map[string]*string{"compression.type": kadm.StringPtr(c.name)})
		franzProduce(ctx, topic, 0, 50, 1, kgo.ProducerBatchCompression(kgo.NoCompression()))
		for _, r := range franzRead(ctx, franzClient(ctx, kgo.ConsumeTopics(topic)), 50, fromZero) {
			franzCheckRecord(r, 1)
			equal(r.Attrs.CompressionType(), c.attr, "codec of the stored batch")
		}
	}
	topic := franzTopic(ctx, "recompress", 1, map[string]*string{"compression.type": kadm.StringPtr("uncompressed")})
	franzProduce(ctx, topic, 0, 50, 1, kgo.ProducerBatchCompression(kgo.ZstdCompression()))
	for _, r := range franzRead(ctx, franzClient(ctx, kgo.ConsumeTopics(topic)), 50, fromZero) {
		franzCheckRecord(r, 1)
		equal(r.Attrs.CompressionType(), uint8(0), "codec of the stored batch")
	}
}

func franzBeginning(ctx context.Context) {
	topic := franzTopic(ctx, "begin", 1, nil)
	franzProduce(ctx, topic, 0, 100, 1)
	cl := franzFrom(ctx, topic, 0, kgo.NewOffset().AtStart())
	for _, r := range franzRead(ctx, cl, 100, fromZero) {
		franzCheckRecord(r, 1)
	}
	franzProduce(ctx, topic, 100, 150, 1) // and goes on where it was
	for _, r := range franzRead(ctx, cl, 50, func(int32) int64 { return 100 }) {
		franzCheckRecord(r, 1)
	}
}

func franzEnd(ctx context.Context) {
	topic := franzTopic(ctx, "end", 1, nil)
	franzProduce(ctx, topic, 0, 10, 1)
	cl := franzFrom(ctx, topic, 0, kgo.NewOffset().AtEnd())
	first := make(chan *kgo.Record, 1)
	go func() {
		if records := cl.PollRecords(ctx, 1).Records(); len(records) > 0 {
			first <- records[0]
		}
	}()
	// The consumer looks the end up at a moment unknown to us, so write until it has seen something.
	for n := 10; ; n++ {
		franzProduce(ctx, topic, n, n+1, 1)
		select {
		case r := <-first:
			if r.Offset < 10 || r.Offset > int64(n) {
				fail("started at offset %d, want 10..%d", r.Offset, n)
			}
			franzCheckRecord(r, 1)
			return
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			fail("saw nothing")
		}
	}
}

func franzRelative(ctx context.Context) {
	topic := franzTopic(ctx, "relative", 1, nil)
	franzProduce(ctx, topic, 0, 100, 1)
	cl := franzFrom(ctx, topic, 0, kgo.NewOffset().AtEnd().Relative(-3))
	for _, r := range franzRead(ctx, cl, 3, func(int32) int64 { return 97 }) {
		franzCheckRecord(r, 1)
	}
}

func franzByTimestamp(ctx context.Context) {
	topic := franzTopic(ctx, "time", 1, nil)
	franzProduce(ctx, topic, 0, 100, 1)
	cl := franzFrom(ctx, topic, 0, kgo.NewOffset().AfterMilli(timeOf(42).UnixMilli()-3))
	for _, r := range franzRead(ctx, cl, 58, func(int32) int64 { return 42 }) {
		franzCheckRecord(r, 1)
	}
}

func franzSeek(ctx context.Context) {
	topic := franzTopic(ctx, "seek", 1, nil)
	franzProduce(ctx, topic, 0, 100, 1)
	cl := franzFrom(ctx, topic, 0, kgo.NewOffset().At(90))
	franzRead(ctx, cl, 10, func(int32) int64 { return 90 })
	for _, at := range []int64{10, 99, 0} {
		cl.SetOffsets(map[string]map[int32]kgo.EpochOffset{topic: {0: {Epoch: -1, Offset: at}}})
		for _, r := range franzRead(ctx, cl, int(100-at), func(int32) int64 { return at }) {
			franzCheckRecord(r, 1)
		}
	}
}

func franzOutOfRange(ctx context.Context) {
	topic := franzTopic(ctx, "range", 1, nil)
	franzProduce(ctx, topic, 0, 10, 1)
	cl := franzFrom(ctx, topic, 0, kgo.NoResetOffset().At(1000), kgo.ConsumeResetOffset(kgo.NoResetOffset()))
	errs := cl.PollFetches(ctx).Errors()
	equal(len(errs), 1, "errors")
	wantErr(errs[0].Err, kerr.OffsetOutOfRange, "fetch at 1000")
}

// franzSmallMaxBytes: a record larger than the asked size still comes, one at a time, so that a consumer gets on.
func franzSmallMaxBytes(ctx context.Context) {
	topic := franzTopic(ctx, "small", 2, nil)
	cl := franzClient(ctx, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()))
	for i := range 20 { // one record to a batch
		value(cl.ProduceSync(ctx, &kgo.Record{Topic: topic, Partition: int32(i % 2), Value: bytes.Repeat([]byte{byte(i)}, 20_000)}).First())
	}
	reader := franzClient(ctx, kgo.ConsumeTopics(topic), kgo.FetchMaxBytes(1000), kgo.FetchMaxPartitionBytes(1000))
	for _, r := range franzRead(ctx, reader, 20, fromZero) {
		equal(r.Value, bytes.Repeat([]byte{byte(int(r.Offset)*2 + int(r.Partition))}, 20_000), "value")
	}
}

// franzLongPoll: a fetch that waits is answered when a record arrives, long before its time is up.
func franzLongPoll(ctx context.Context) {
	topic := franzTopic(ctx, "poll", 1, nil)
	cl := franzFrom(ctx, topic, 0, kgo.NewOffset().AtStart(), kgo.FetchMaxWait(20*time.Second))
	got := make(chan time.Time, 1)
	go func() { cl.PollFetches(ctx); got <- time.Now() }()
	time.Sleep(time.Second) // the fetch is at the broker by now
	franzProduce(ctx, topic, 0, 1, 1)
	sent := time.Now()
	select {
	case at := <-got:
		if at.Sub(sent) > 3*time.Second {
			fail("record came %v after it was written", at.Sub(sent))
		}
	case <-ctx.Done():
		fail("record did not come")
	}
}

func franzLongPollTimesOut(ctx context.Context) {
	topic := franzTopic(ctx, "pollwait", 1, nil)
	franzProduce(ctx, topic, 0, 1, 1)
	// Less than the min bytes is there: the answer comes when the time is up, with what there is.
	cl := franzFrom(ctx, topic, 0, kgo.NewOffset().AtStart(), kgo.FetchMaxWait(2*time.Second), kgo.FetchMinBytes(100_000))
	start := time.Now()
	franzRead(ctx, cl, 1, fromZero)
	if took := time.Since(start); took < 1800*time.Millisecond || took > 8*time.Second {
		fail("answer came after %v, want about 2s", took)
	}
}

func franzRegex(ctx context.Context) {
	prefix := topicName("regex")
	adm := franzAdmin(ctx)
	value(adm.CreateTopic(ctx, 1, 1, nil, prefix+"-a"))
	franzAwaitTopic(ctx, prefix+"-a", 1)
	franzProduce(ctx, prefix+"-a", 0, 5, 1)
	cl := franzClient(ctx, kgo.ConsumeRegex(), kgo.ConsumeTopics("^"+prefix+"-.*$"), kgo.MetadataMaxAge(300*time.Millisecond))
	for _, r := range franzRead(ctx, cl, 5, fromZero) {
		equal(r.Topic, prefix+"-a", "topic")
	}
	value(adm.CreateTopic(ctx, 1, 1, nil, prefix+"-b"))
	franzAwaitTopic(ctx, prefix+"-b", 1)
	franzProduce(ctx, prefix+"-b", 0, 5, 1)
	for _, r := range franzRead(ctx, cl, 5, fromZero) {
		equal(r.Topic, prefix+"-b", "topic")
	}
}

func franzNoSessions(ctx context.Context) {
	topic := franzTopic(ctx, "nosession", 3, nil)
	franzProduce(ctx, topic, 0, 300, 3)
	cl := franzClient(ctx, kgo.ConsumeTopics(topic), kgo.DisableFetchSessions(), kgo.FetchMaxPartitionBytes(2000))
	for _, r := range franzRead(ctx, cl, 300, fromZero) {
		franzCheckRecord(r, 3)
	}
}

func franzListOffsets(ctx context.Context) {
	topic := franzTopic(ctx, "offsets", 2, nil)
	adm := franzAdmin(ctx)
	at := func(listed kadm.ListedOffsets, err error) [2]int64 {
		must(err, "list offsets")
		must(listed.Error(), "list offsets")
		return [2]int64{listed[topic][0].Offset, listed[topic][1].Offset}
	}
	equal(at(adm.ListStartOffsets(ctx, topic)), [2]int64{0, 0}, "start of the empty topic")
	equal(at(adm.ListEndOffsets(ctx, topic)), [2]int64{0, 0}, "end of the empty topic")
	equal(at(adm.ListMaxTimestampOffsets(ctx, topic)), [2]int64{-1, -1}, "max timestamp of the empty topic")
	for i := 0; i < 100; i += 10 { // ten batches
		franzProduce(ctx, topic, i, i+10, 2)
	}
	equal(at(adm.ListStartOffsets(ctx, topic)), [2]int64{0, 0}, "start")
	equal(at(adm.ListEndOffsets(ctx, topic)), [2]int64{50, 50}, "end")
	equal(at(adm.ListCommittedOffsets(ctx, topic)), [2]int64{50, 50}, "last stable")
	equal(at(adm.ListMaxTimestampOffsets(ctx, topic)), [2]int64{49, 49}, "max timestamp")
	equal(at(adm.ListOffsetsAfterMilli(ctx, 0, topic)), [2]int64{0, 0}, "before all")
	// Record 30 is at partition 0 offset 15; the next in partition 1 is record 31.
	exact := value(adm.ListOffsetsAfterMilli(ctx, timeOf(30).UnixMilli(), topic))
	equal(exact[topic][0].Offset, int64(15), "exact time")
	equal(exact[topic][0].Timestamp, timeOf(30).UnixMilli(), "exact time's timestamp")
	equal(exact[topic][1].Offset, int64(15), "exact time in partition 1")
	equal(exact[topic][1].Timestamp, timeOf(31).UnixMilli(), "timestamp in partition 1")
	equal(at(adm.ListOffsetsAfterMilli(ctx, timeOf(30).UnixMilli()+1, topic)), [2]int64{16, 15}, "between")
	equal(at(adm.ListOffsetsAfterMilli(ctx, timeOf(99).UnixMilli(), topic)), [2]int64{50, 49}, "the last record")
	equal(at(adm.ListOffsetsAfterMilli(ctx, timeOf(99).UnixMilli()+1, topic)), [2]int64{50, 50}, "after all")
}

func franzLeaderEpoch(ctx context.Context) {
	topic := franzTopic(ctx, "epoch", 1, nil)
	franzProduce(ctx, topic, 0, 10, 1)
	adm := franzAdmin(ctx)
	leader := value(adm.ListTopics(ctx, topic))[topic].Partitions[0]
	var req kadm.OffsetForLeaderEpochRequest
	req.Add(topic, 0, leader.LeaderEpoch)
	got := value(adm.OffsetForLeaderEpoch(ctx, req))[topic][0]
	must(got.Err, "offset for leader epoch")
	equal(got.EndOffset, int64(10), "end of the epoch")
	equal(got.LeaderEpoch, leader.LeaderEpoch, "epoch")
	req.Add(topic, 0, leader.LeaderEpoch+7)
	beyond := value(adm.OffsetForLeaderEpoch(ctx, req))[topic][0]
	must(beyond.Err, "an epoch to come")
	equal(beyond.EndOffset, int64(-1), "end of an epoch to come")
}
