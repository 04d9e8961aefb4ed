'use strict'
const { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, logLevel } = require('kafkajs')
const lz4 = require('lz4js')
const { ZstdCodec } = require('zstd-codec')
const h = require('./harness.js')

// kafkajs has gzip itself; the rest are plugged in, here with codecs in plain JavaScript or WebAssembly.
CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy')
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async encoder => {
    const frame = Buffer.from(lz4.compress(encoder.buffer))
    // Kafka takes only frames that say that their blocks are independent. With one block (up to 4 MiB) they are.
    frame[4] = 0x60 // version 1, blocks independent
    frame[6] = 0x73 // the header checksum of 60 70
    return frame
  },
  decompress: async buffer => Buffer.from(lz4.decompress(buffer)),
})
const zstd = new Promise(resolve => ZstdCodec.run(z => resolve(new z.Streaming())))
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async encoder => Buffer.from((await zstd).compress(encoder.buffer)),
  decompress: async buffer => Buffer.from((await zstd).decompress(buffer)),
})
const TYPES = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy, lz4: CompressionTypes.LZ4, zstd: CompressionTypes.ZSTD }

const kafka = new Kafka({ clientId: 'compat-kafkajs', brokers: [h.BOOTSTRAP], logLevel: logLevel.NOTHING, retry: { initialRetryTime: 100, retries: 8 } })

const client = {
  name: 'kafkajs',
  assigners: ['roundRobin'],
  createOptions: { waitForLeaders: false }, // by waiting kafkajs may fail: the broker may not have heard of the topic yet
  protocolOf: () => 'RoundRobinAssigner',
  stateName: state => state,
  // A new one each time: a kafkajs client fails when a topic that it was once asked about is not there.
  async admin() {
    const a = kafka.admin()
    await a.connect()
    return a
  },
  async makeProducer({ codec, acks, idempotent }) {
    const p = kafka.producer({ idempotent, maxInFlightRequests: 1 })
    await p.connect()
    return { send: (topic, messages) => p.send({ topic, messages, acks, compression: TYPES[codec] }), close: () => p.disconnect() }
  },
  async makeConsumer({ groupId, autoCommit = false, autoCommitInterval }, member) {
    const consumer = kafka.consumer({ groupId, sessionTimeout: 6000, rebalanceTimeout: 10_000, heartbeatInterval: 300, maxWaitTimeInMs: 200 })
    consumer.options = { autoCommit, autoCommitInterval }
    if (member) {
      consumer.on(consumer.events.GROUP_JOIN, e => { member.assigned = new Set(Object.values(e.payload.memberAssignment).flat()) })
    }
    await consumer.connect()
    return consumer
  },
  async start(consumer, topic, each, fromBeginning = true) {
    await consumer.subscribe({ topic, fromBeginning })
    await consumer.run({ ...consumer.options, eachMessage: async ({ partition, message }) => each(partition, message) })
  },
}
module.exports = client

client.addOwn = ({ admin, newTopic, produce, committed }) => {
  const type = name => e => e.type === name || e.errors?.some(x => x.type === name)

  h.add('kafkajs/admin/cluster', async () => {
    const got = await (await admin()).describeCluster()
    h.equal(got.brokers.map(b => `${b.host}:${b.port}`), [h.BOOTSTRAP], 'brokers')
    h.equal(got.controller, got.brokers[0].nodeId, 'controller')
    h.equal(got.clusterId.length > 0, true, 'there is a cluster id')
  })

  h.add('kafkajs/admin/topics', async () => {
    // Each step with a client of its own: one goes on asking for every topic that it has met, and fails if that is gone.
    const withAdmin = async use => {
      const a = kafka.admin()
      await a.connect()
      try {
        return await use(a)
      } finally {
        await a.disconnect()
      }
    }
    const topic = h.unique('topics')
    const spec = { topic, numPartitions: 3, replicationFactor: 1, configEntries: [{ name: 'retention.ms', value: '4242' }] }
    const create = (change = {}, options = {}) => withAdmin(a => a.createTopics({ topics: [{ ...spec, ...change }], waitForLeaders: false, ...options }))
    const grow = count => withAdmin(a => a.createPartitions({ topicPartitions: [{ topic, count }] }))
    const remove = () => withAdmin(a => a.deleteTopics({ topics: [topic] }))
    const listed = async () => (await withAdmin(a => a.listTopics())).includes(topic)
    const partitions = async () => (await withAdmin(a => a.fetchTopicMetadata({ topics: [topic] }))).topics[0].partitions
    h.equal(await create({}, { validateOnly: true }), true, 'validate')
    h.equal(await create(), true, 'create')
    await h.eventually(5000, async () => !(await listed()) && 'not listed')
    h.equal(await create(), false, 'create again')
    await h.rejects('invalid name', type('INVALID_TOPIC_EXCEPTION'), () => create({ topic: 'a b' }))
    await h.rejects('three replicas', type('INVALID_REPLICATION_FACTOR'), () => create({ topic: topic + 'x', replicationFactor: 3 }))
    await h.rejects('no partitions', type('INVALID_PARTITIONS'), () => create({ topic: topic + 'x', numPartitions: 0 }))
    await h.rejects('unknown config', type('INVALID_CONFIG'), () => create({ topic: topic + 'x', configEntries: [{ name: 'nope', value: '1' }] }))
    h.equal((await partitions()).map(p => [p.partitionId, p.replicas.length, p.isr.length]).sort(), [[0, 1, 1], [1, 1, 1], [2, 1, 1]], 'partitions')
    await grow(5)
    await h.eventually(5000, async () => (await partitions()).length !== 5 && 'not five partitions')
    await h.rejects('fewer partitions', type('INVALID_PARTITIONS'), () => grow(2))
    await remove()
    await h.eventually(5000, async () => (await listed()) && 'still listed')
  })

  h.add('kafkajs/admin/configs', async () => {
    const a = await admin()
    const topic = await newTopic('configs', 1, [{ name: 'segment.ms', value: '100000' }])
    const resource = { type: ConfigResourceTypes.TOPIC, name: topic }
    const get = async name => (await a.describeConfigs({ resources: [{ ...resource, configNames: [name] }], includeSynonyms: false })).resources[0].configEntries.map(e => e.configValue)
    h.equal(await get('segment.ms'), ['100000'], 'segment.ms')
    h.equal(await get('retention.ms'), ['604800000'], 'retention.ms')
    await a.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries: [{ name: 'retention.ms', value: '777' }] }] })
    await h.eventually(5000, async () => (await get('retention.ms'))[0] !== '777' && 'not altered')
    h.equal(await get('segment.ms'), ['604800000'], 'segment.ms after the old AlterConfigs, which replaces all')
    await h.rejects('wrong type', type('INVALID_CONFIG'), () => a.alterConfigs({ validateOnly: true, resources: [{ ...resource, configEntries: [{ name: 'retention.ms', value: 'soon' }] }] }))
  })

  h.add('kafkajs/admin/group offsets', async () => {
    const a = await admin()
    const [topic, groupId] = [await newTopic('offsets', 2), h.unique('g')]
    await produce(topic, h.range(0, 100), 2)
    await a.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: '7' }, { partition: 1, offset: '9' }] })
    h.equal(await committed(groupId, topic), [7, 9], 'offsets set')
    await a.resetOffsets({ groupId, topic, earliest: false })
    h.equal(await committed(groupId, topic), [-1, -1], 'offsets reset to the latest, which is resolved when reading')
    const [resolved] = await a.fetchOffsets({ groupId, topics: [topic], resolveOffsets: true })
    h.equal(resolved.partitions.map(p => Number(p.offset)), [50, 50], 'offsets resolved')
  })

  h.add('kafkajs/produce/errors', async () => {
    const topic = await newTopic('errors')
    const p = kafka.producer({ retry: { retries: 1 }, allowAutoTopicCreation: false })
    await p.connect()
    await h.rejects('large record', type('MESSAGE_TOO_LARGE'), () => p.send({ topic, messages: [{ value: Buffer.alloc(2_000_000) }] }))
    const [sent] = await p.send({ topic, messages: [{ value: 'x' }] })
    h.equal([sent.errorCode, sent.baseOffset], [0, '0'], 'the first good one')
    await h.rejects('missing topic', e => /does not host this topic-partition/.test(e.message), () => p.send({ topic: topic + '-missing', messages: [{ value: 'x' }] }))
    await p.disconnect()
  })
}
