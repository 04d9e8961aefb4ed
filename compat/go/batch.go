package main

import (
	"encoding/binary"
	"hash/crc32"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// batchOf builds a record batch of one record as an idempotent producer sends it.
func batchOf(producerID int64, epoch int16, sequence int32, val string) []byte {
	record := kmsg.NewRecord()
	record.Value = []byte(val)
	record.Length = int32(len(record.AppendTo(nil)) - 1) // without the length itself, which is one byte for a short record
	now := time.Now().UnixMilli()
	batch := kmsg.NewRecordBatch()
	batch.PartitionLeaderEpoch, batch.Magic = -1, 2
	batch.FirstTimestamp, batch.MaxTimestamp = now, now
	batch.ProducerID, batch.ProducerEpoch, batch.FirstSequence = producerID, epoch, sequence
	batch.NumRecords = 1
	batch.Records = record.AppendTo(nil)
	raw := batch.AppendTo(nil)
	const lengthAt, crcAt, crcFrom = 8, 17, 21
	binary.BigEndian.PutUint32(raw[lengthAt:], uint32(len(raw)-lengthAt-4))
	binary.BigEndian.PutUint32(raw[crcAt:], crc32.Checksum(raw[crcFrom:], crc32.MakeTable(crc32.Castagnoli)))
	return raw
}
