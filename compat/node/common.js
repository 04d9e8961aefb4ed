'use strict'
// The checks that both clients run. Their APIs are nearly the same; what differs is in the adapters kafkajs.js and
// confluent.js: makeProducer, makeConsumer (which keeps member.assigned up to date), start, assigners.
const { spawn } = require('node:child_process')
const readline = require('node:readline')
const h = require('./harness.js')

module.exports = function addCommon(c) {
  const admin = () => c.admin()

  async function newTopic(prefix, partitions = 1, configEntries = []) {
    const topic = h.unique(prefix)
    const a = await admin()
    await a.createTopics({ topics: [{ topic, numPartitions: partitions, replicationFactor: 1, configEntries }], ...c.createOptions })
    // The controller answers before the broker has heard of the topic.
    await h.eventually(10_000, async () => {
      try {
        const offsets = await a.fetchTopicOffsets(topic)
        return offsets.length !== partitions && `${offsets.length} partitions`
      } catch (e) {
        return e.message
      }
    })
    return topic
  }

  const total = async (a, topic) => (await a.fetchTopicOffsets(topic)).reduce((sum, o) => sum + Number(o.high), 0)

  // Sends records and checks the base offsets they got.
  async function produce(topic, numbers, partitions, { codec = 'none', acks = -1, idempotent = false } = {}) {
    const { send, close } = await c.makeProducer({ codec, acks, idempotent })
    try {
      const answers = await send(topic, numbers.map(i => h.messageOf(i, partitions)))
      if (acks !== 0) {
        const first = {}
        for (const i of numbers) first[i % partitions] ??= Math.floor(i / partitions)
        const got = {} // the confluent client answers once per message, with the offset as baseOffset
        for (const a of answers) got[a.partition] = Math.min(got[a.partition] ?? Infinity, Number(a.baseOffset))
        h.equal(got, first, 'base offsets')
      }
    } finally {
      await close()
    }
  }

  // Reads n records of a topic from the given offset of each partition on; each partition's must be in order.
  async function read(topic, n, seek) {
    const consumer = await c.makeConsumer({ groupId: h.unique('read') })
    const records = []
    const next = {}
    let wrong
    await c.start(consumer, topic, (partition, message) => {
      const r = h.record(partition, message)
      if (r.offset < (seek?.[partition] ?? 0)) return // came before the seek
      if (next[partition] !== undefined && r.offset !== next[partition] && !seek) wrong = `offset ${r.offset} after ${next[partition] - 1}`
      next[partition] = r.offset + 1
      if (records.length < n) records.push(r)
    })
    for (const [partition, offset] of Object.entries(seek || {})) consumer.seek({ topic, partition: Number(partition), offset: String(offset) })
    try {
      await h.eventually(20_000, () => !wrong && records.length < n && `${records.length} of ${n} records came`)
    } finally {
      await consumer.disconnect()
    }
    if (wrong) throw new Error(wrong)
    return records
  }

  const committed = async (groupId, topic) => {
    const [got] = await (await admin()).fetchOffsets({ groupId, topics: [topic] })
    return got.partitions.sort((a, b) => a.partition - b.partition).map(p => Number(p.offset))
  }

  // A member reads in the background and commits what it read.
  async function join(groupId, topic, log, options = {}) {
    const member = { assigned: new Set() }
    const consumer = await c.makeConsumer({ groupId, autoCommit: true, autoCommitInterval: 200, ...options }, member)
    await c.start(consumer, topic, (partition, message) => log.add(partition, Number(message.offset), message.value.toString()))
    member.leave = () => consumer.disconnect()
    return member
  }

  // A member in a process of its own, so that it can be killed.
  function child(groupId, topic, log) {
    const member = { assigned: new Set() }
    const process_ = spawn(process.execPath, [require.resolve('./main.js'), '--member', c.name, groupId, topic], { stdio: ['ignore', 'pipe', 'inherit'] })
    readline.createInterface({ input: process_.stdout }).on('line', line => {
      if (line[0] !== '{') return
      const said = JSON.parse(line)
      if (said.assigned) member.assigned = new Set(said.assigned)
      else log.add(said.partition, said.offset, said.value)
    })
    member.kill = () => process_.kill('SIGKILL')
    return member
  }

  c.childMain = async (groupId, topic) => {
    const say = what => process.stdout.write(JSON.stringify(what) + '\n')
    const member = await join(groupId, topic, { add: (partition, offset, value) => say({ partition, offset, value }) })
    let said
    const parent = process.ppid
    while (process.ppid === parent) { // not longer than the checks
      const now = JSON.stringify({ assigned: [...member.assigned] })
      if (now !== said) process.stdout.write(now + '\n')
      said = now
      await h.sleep(50)
    }
    process.exit(0)
  }

  async function roundTrip(options) {
    const [n, partitions] = [300, 3]
    const topic = await newTopic('rt', partitions)
    const a = await admin()
    for (const [from, to] of [[0, n / 2], [n / 2, n]]) {
      await produce(topic, h.range(from, to), partitions, options)
      // acks=0 comes back before the broker has written
      await h.eventually(10_000, async () => { const t = await total(a, topic); return t !== to && `${t} records in the topic, want ${to}` })
    }
    const records = await read(topic, n)
    for (const p of h.range(0, partitions)) {
      h.equal(records.filter(r => r.partition === p).map(r => r.offset), h.range(0, n / partitions), `offsets read of partition ${p}`)
      for (const [codec, idempotent] of await h.storedBatches(topic, p)) h.equal([codec, idempotent], [options.codec, options.idempotent], 'codec of a stored batch, and whether it has a producer id')
    }
    for (const r of records) h.checkRecord(r, partitions)
  }

  for (const codec of h.CODECS) {
    for (const acks of [0, 1, -1]) h.add(`${c.name}/produce/${codec}/acks=${acks}`, () => roundTrip({ codec, acks, idempotent: false }))
    h.add(`${c.name}/produce/${codec}/idempotent`, () => roundTrip({ codec, acks: -1, idempotent: true }))
  }

  h.add(`${c.name}/produce/auto-created topic`, async () => {
    const topic = h.unique('auto')
    await produce(topic, h.range(0, 3), 1)
    for (const r of await read(topic, 3)) h.checkRecord(r, 1)
  })

  h.add(`${c.name}/produce/stream`, async () => {
    const [n, partitions] = [10_000, 4]
    const topic = await newTopic('stream', partitions)
    for (const i of h.range(0, 5)) await produce(topic, h.range(i * n / 5, (i + 1) * n / 5), partitions, { codec: 'gzip' })
    for (const r of await read(topic, n)) h.checkRecord(r, partitions)
  })

  h.add(`${c.name}/consume/seek`, async () => {
    const topic = await newTopic('seek', 2)
    await produce(topic, h.range(0, 100), 2)
    const records = await read(topic, 30, { 0: 40, 1: 30 })
    for (const [p, from] of [[0, 40], [1, 30]]) h.equal(records.filter(r => r.partition === p).map(r => r.offset), h.range(from, 50), `offsets of partition ${p}`)
    for (const r of records) h.checkRecord(r, 2)
  })

  h.add(`${c.name}/consume/end`, async () => {
    const topic = await newTopic('end')
    await produce(topic, h.range(0, 10), 1)
    const member = { assigned: new Set() }
    const consumer = await c.makeConsumer({ groupId: h.unique('end'), fromBeginning: false }, member)
    const seen = []
    await c.start(consumer, topic, (partition, m) => seen.push(h.record(partition, m)), false)
    // When the client looks the end up is not known to us, so write until it sees something.
    let next = 10
    for (; seen.length === 0 && next < 200; next++) {
      await produce(topic, [next], 1)
      await h.sleep(100)
    }
    await consumer.disconnect()
    if (!(seen[0]?.offset >= 10 && seen[0].offset < next)) throw new Error(`reading began at ${seen[0]?.offset}, want 10..${next - 1}`)
    seen.forEach((r, i) => h.equal(r.offset, seen[0].offset + i, 'offset'))
    h.checkRecord(seen[0], 1)
  })

  h.add(`${c.name}/offsets/ends and times`, async () => {
    const topic = await newTopic('offsets', 2)
    const a = await admin()
    const ends = async () => (await a.fetchTopicOffsets(topic)).sort((x, y) => x.partition - y.partition).map(o => [Number(o.low), Number(o.high)])
    h.equal(await ends(), [[0, 0], [0, 0]], 'ends of the empty topic')
    for (const i of h.range(0, 5)) await produce(topic, h.range(i * 20, i * 20 + 20), 2)
    h.equal(await ends(), [[0, 50], [0, 50]], 'ends')
    for (const [ms, want] of [[timeBefore(), [0, 0]], [h.timeOf(30), [15, 15]], [h.timeOf(30) + 1, [16, 15]], [h.timeOf(99), [50, 49]]]) {
      const got = (await a.fetchTopicOffsetsByTimestamp(topic, ms)).sort((x, y) => x.partition - y.partition).map(o => Number(o.offset))
      h.equal(got, want, `offsets at ${ms}`)
    }
  })
  const timeBefore = () => h.timeOf(0) - 1000

  for (const assigner of c.assigners) {
    h.add(`${c.name}/group/join and leave/${assigner}`, async () => {
      const partitions = 6
      const [topic, group, log] = [await newTopic('group', partitions), h.unique('g'), new h.ReadLog()]
      let written = 0
      const more = async () => { await produce(topic, h.range(written, written + 60), partitions); written += 60 }
      await more()
      const one = await join(group, topic, log, { assigner })
      await h.awaitSplit([6], partitions, one)
      await log.awaitRecords(written, partitions)
      const two = await join(group, topic, log, { assigner })
      await more()
      await h.awaitSplit([3, 3], partitions, one, two)
      const three = await join(group, topic, log, { assigner })
      await h.awaitSplit([2, 2, 2], partitions, one, two, three)
      await more()
      await log.awaitRecords(written, partitions)
      const { groups: [described] } = await (await admin()).describeGroups([group])
      h.equal([String(c.stateName(described.state)), described.protocolType, described.protocol, described.members.length], ['Stable', 'consumer', c.protocolOf(assigner), 3], 'described group')
      await one.leave()
      await h.awaitSplit([3, 3], partitions, two, three)
      await more()
      await log.awaitRecords(written, partitions)
      await two.leave()
      await three.leave()
      h.equal(await committed(group, topic), Array(partitions).fill(written / partitions), 'committed offsets')
    })
  }

  h.add(`${c.name}/group/crash`, async () => {
    const [topic, group, log] = [await newTopic('crash', 4), h.unique('g'), new h.ReadLog()]
    await produce(topic, h.range(0, 100), 4)
    const member = await join(group, topic, log)
    const victim = child(group, topic, log)
    try {
      await h.awaitSplit([2, 2], 4, member, victim)
      await log.awaitRecords(100, 4)
      await h.eventually(10_000, async () => { const got = await committed(group, topic); return String(got) !== '25,25,25,25' && `committed ${got}` })
      victim.kill()
      const killed = Date.now()
      await produce(topic, h.range(100, 200), 4)
      await h.awaitSplit([4], 4, member)
      const took = Date.now() - killed
      if (took < 3000 || took > 20_000) throw new Error(`partitions moved ${took}ms after the kill, want about the session timeout of 6s`)
      await log.awaitRecords(200, 4)
      await member.leave()
      h.equal(await committed(group, topic), [50, 50, 50, 50], 'committed offsets')
    } finally {
      victim.kill()
    }
  })

  h.add(`${c.name}/group/resume from committed`, async () => {
    const [topic, group] = [await newTopic('resume'), h.unique('g')]
    await produce(topic, h.range(0, 50), 1)
    let log = new h.ReadLog()
    let member = await join(group, topic, log)
    await log.awaitRecords(50, 1)
    await member.leave()
    h.equal(await committed(group, topic), [50], 'committed')
    await produce(topic, h.range(50, 80), 1)
    log = new h.ReadLog()
    member = await join(group, topic, log)
    await h.eventually(15_000, () => log.values.size < 30 && `${log.values.size} of 30 records`)
    await member.leave()
    h.equal([...log.values.keys()], h.range(50, 80).map(o => `0-${o}`), 'records read by the second member')
    h.equal(await committed(group, topic), [80], 'committed at last')
  })

  h.add(`${c.name}/admin/delete records`, async () => {
    const topic = await newTopic('trim')
    await produce(topic, h.range(0, 100), 1)
    const a = await admin()
    await a.fetchTopicOffsets(topic) // without it kafkajs does not know the topic's leader
    await a.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '40' }] })
    h.equal((await a.fetchTopicOffsets(topic)).map(o => [o.low, o.high]), [['40', '100']], 'ends')
    h.equal((await read(topic, 60)).map(r => r.offset), h.range(40, 100), 'offsets read')
    await h.rejects('beyond the end', () => true, () => a.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '500' }] }))
  })

  h.add(`${c.name}/admin/groups`, async () => {
    const [topic, group, log] = [await newTopic('groups', 2), h.unique('g'), new h.ReadLog()]
    await produce(topic, h.range(0, 40), 2)
    const a = await admin()
    const member = await join(group, topic, log)
    await log.awaitRecords(40, 2)
    const listed = (await a.listGroups()).groups.find(g => g.groupId === group)
    h.equal(listed?.protocolType, 'consumer', 'listed group')
    await h.rejects('delete with a member', e => String(e.groups?.[0]?.errorCode) === '68', () => a.deleteGroups([group])) // NON_EMPTY_GROUP
    await member.leave()
    h.equal(await committed(group, topic), [20, 20], 'committed')
    await a.deleteGroups([group])
    await h.rejects('delete again', e => String(e.groups?.[0]?.errorCode) === '69', () => a.deleteGroups([group])) // GROUP_ID_NOT_FOUND
  })

  return { admin, newTopic, produce, read, committed, join }
}
