'use strict'
const { ConsumerGroupStates, KafkaJS } = require('@confluentinc/kafka-javascript')
const h = require('./harness.js')

const { ErrorCodes, Kafka, logLevel } = KafkaJS
const kafka = new Kafka({ kafkaJS: { clientId: 'compat-confluent', brokers: [h.BOOTSTRAP], logLevel: logLevel.NOTHING } })
let admin_

const client = {
  name: 'kafka-javascript',
  assigners: ['range', 'roundrobin', 'cooperative-sticky'],
  protocolOf: assigner => assigner,
  stateName: state => Object.entries(ConsumerGroupStates).find(([, v]) => v === state)?.[0].toLowerCase().replace(/^./, c => c.toUpperCase()),
  admin: () => (admin_ ??= (async () => { const a = kafka.admin(); await a.connect(); return a })()),
  async makeProducer({ codec, acks, idempotent }) {
    const p = kafka.producer({ kafkaJS: { compression: codec, acks, idempotent, maxInFlightRequests: idempotent ? 5 : 1 }, 'linger.ms': 100 }) // a batch of one record does not shrink, and librdkafka sends it as it is
    await p.connect()
    return { send: (topic, messages) => p.send({ topic, messages }), close: () => p.disconnect() }
  },
  async makeConsumer({ groupId, autoCommit = false, autoCommitInterval = 5000, fromBeginning = true, assigner = 'range', instance }, member) {
    const consumer = kafka.consumer({
      kafkaJS: { groupId, fromBeginning, autoCommit, autoCommitInterval, sessionTimeout: 6000, heartbeatInterval: 300, partitionAssigners: [assigner] },
      'fetch.wait.max.ms': 200,
      ...(instance && { 'group.instance.id': instance }),
      rebalance_cb: (err, assignment) => {
        if (!member) return
        member.rebalances = (member.rebalances || 0) + 1
        for (const { partition } of assignment) err.code === ErrorCodes.ERR__ASSIGN_PARTITIONS ? member.assigned.add(partition) : member.assigned.delete(partition)
      },
    })
    await consumer.connect()
    return consumer
  },
  async start(consumer, topic, each) {
    await consumer.subscribe({ topic })
    await consumer.run({ eachMessage: async ({ partition, message }) => each(partition, message) })
    await h.eventually(15_000, () => consumer.assignment().length === 0 && 'no assignment').catch(() => {}) // seek() wants one
  },
}
module.exports = client

client.addOwn = ({ admin, newTopic, produce, join }) => {
  const code = wanted => e => e.code === wanted || e.errors?.some(x => x.code === wanted)

  h.add('kafka-javascript/admin/topics', async () => {
    const a = await admin()
    const topic = h.unique('topics')
    const spec = { topic, numPartitions: 3, replicationFactor: 1, configEntries: [{ name: 'retention.ms', value: '4242' }] }
    const create = (change = {}) => a.createTopics({ topics: [{ ...spec, ...change }] })
    h.equal(await create(), true, 'create')
    h.equal(await create(), false, 'create again')
    await h.rejects('invalid name', code(ErrorCodes.ERR_TOPIC_EXCEPTION), () => create({ topic: 'a b' }))
    await h.rejects('three replicas', code(ErrorCodes.ERR_INVALID_REPLICATION_FACTOR), () => create({ topic: topic + 'x', replicationFactor: 3 }))
    await h.rejects('unknown config', code(ErrorCodes.ERR_INVALID_CONFIG), () => create({ topic: topic + 'x', configEntries: [{ name: 'nope', value: '1' }] }))
    await h.eventually(5000, async () => !(await a.listTopics()).includes(topic) && 'not listed')
    const [described] = await a.fetchTopicMetadata({ topics: [topic] })
    h.equal(described.partitions.map(p => [p.partitionId, p.replicas.length, p.isr.length]), [[0, 1, 1], [1, 1, 1], [2, 1, 1]], 'partitions')
    await a.deleteTopics({ topics: [topic] })
    await h.eventually(5000, async () => (await a.listTopics()).includes(topic) && 'still listed')
    await h.rejects('delete again', code(ErrorCodes.ERR_UNKNOWN_TOPIC_OR_PART), () => a.deleteTopics({ topics: [topic] }))
  })

  h.add('kafka-javascript/group/static members', async () => {
    const [topic, group, log] = [await newTopic('static', 4), h.unique('g'), new h.ReadLog()]
    const a = await join(group, topic, log, { instance: 'a' })
    await h.awaitSplit([4], 4, a)
    let b = await join(group, topic, log, { instance: 'b' })
    await h.awaitSplit([2, 2], 4, a, b)
    const [seen, had] = [a.rebalances, [...b.assigned].sort()]
    await b.leave() // a static member sends no leave
    b = await join(group, topic, log, { instance: 'b' })
    await h.awaitSplit([2, 2], 4, a, b)
    h.equal([...b.assigned].sort(), had, 'partitions of b after its return')
    await produce(topic, h.range(0, 40), 4)
    await log.awaitRecords(40, 4)
    h.equal(a.rebalances, seen, 'rebalances that a saw')
    await b.leave()
    await h.awaitSplit([4], 4, a) // after the session timeout
    await a.leave()
  })

  h.add('kafka-javascript/produce/errors', async () => {
    const topic = await newTopic('errors')
    const p = kafka.producer({ 'message.max.bytes': 8_000_000 })
    await p.connect()
    await h.rejects('large record', code(ErrorCodes.ERR_MSG_SIZE_TOO_LARGE), () => p.send({ topic, messages: [{ value: Buffer.alloc(2_000_000) }] }))
    const [sent] = await p.send({ topic, messages: [{ value: 'x' }] })
    h.equal([sent.errorCode, sent.baseOffset], [0, '0'], 'the first good one')
    await p.disconnect()
  })
}
