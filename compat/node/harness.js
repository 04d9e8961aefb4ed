'use strict'
// The little that all checks need: registering and running them, assertions, the records of a test, one raw request.
const assert = require('node:assert')
const net = require('node:net')

const BOOTSTRAP = process.env.BOOTSTRAP || ''
const LIMIT = 60_000 // for one check
const AT_ONCE = 8 // checks at a time; most of their time is spent waiting for the broker
const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] // the index is the codec's number in a batch's attributes

const checks = []
const skipped = []
const add = (name, run) => checks.push({ name, run })
const skip = (name, why) => skipped.push(`skip ${name}: ${why}`)
const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))

async function main(pattern) {
  const chosen = checks.filter(c => new RegExp(pattern || '').test(c.name))
  if (!BOOTSTRAP || chosen.length === 0) {
    console.log('FAIL setup: BOOTSTRAP is not set, or no check has that name')
    process.exit(1)
  }
  for (const line of skipped) console.log(line)
  let failed = 0
  const queue = [...chosen]
  const worker = async () => {
    for (let c; (c = queue.shift()); ) {
      const start = Date.now()
      try {
        await within(LIMIT, c.run())
        console.log(`ok ${c.name} (${((Date.now() - start) / 1000).toFixed(1)}s)`)
      } catch (e) {
        failed++
        const at = (e.stack || '').split('\n').filter(l => l.includes('/compat/node/')).slice(0, 3).map(l => l.replace(/.*\/(\w+\.js:\d+).*/, '$1'))
        console.log(`FAIL ${c.name}: ${String(e.message || e).replace(/\s+/g, ' ').slice(0, 500)} (${at.join(' < ')})`)
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  console.log(`# node: ${chosen.length} checks, ${failed} failed, ${skipped.length} skipped`)
  process.exit(failed > 0 ? 1 : 0) // past clients that still hold connections
}

function within(ms, promise) {
  let timer
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`takes more than ${ms / 1000}s`)), ms) })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

const equal = (got, want, what) => {
  try {
    assert.deepStrictEqual(got, want)
  } catch {
    throw new Error(`${what}: got ${JSON.stringify(got)}, want ${JSON.stringify(want)}`)
  }
}

// Polls until wrong() gives nothing; it gives what is still not as it should be.
async function eventually(ms, wrong) {
  const end = Date.now() + ms
  for (;;) {
    const problem = await wrong()
    if (!problem) return
    if (Date.now() > end) throw new Error(`after ${ms / 1000}s still: ${problem}`)
    await sleep(50)
  }
}

// Runs what must fail; right tells whether it failed as it should.
async function rejects(what, right, run) {
  let got
  try {
    got = await run()
  } catch (e) {
    if (!right(e)) throw new Error(`${what}: failed with ${e.name} ${e.type || e.code}: ${e.message}`)
    return
  }
  throw new Error(`${what}: succeeded with ${JSON.stringify(got)}`)
}

let number = 0
const unique = prefix => `node-${prefix}-${process.pid}-${++number}`
const range = (from, to) => Array.from({ length: to - from }, (_, i) => from + i)

// The records of a test: number i goes to partition i % partitions, so its offset there is floor(i / partitions).
const BASE_TIME = Date.now() - 3_600_000
const timeOf = i => BASE_TIME + i * 10
const keyOf = i => `key-${i}`
const valueOf = i => `value-${i}-${'abcd'.repeat(i % 50)}`
const messageOf = (i, partitions) => ({
  key: keyOf(i), value: valueOf(i), partition: i % partitions, timestamp: String(timeOf(i)), headers: { n: String(i) },
})

function checkRecord(r, partitions) {
  const i = r.offset * partitions + r.partition
  equal([r.key, r.value, r.timestamp, r.headers], [keyOf(i), valueOf(i), timeOf(i), { n: String(i) }], `record ${r.partition}-${r.offset}`)
}

// What a message of either client comes to.
const record = (partition, m) => ({
  partition, offset: Number(m.offset), key: m.key && m.key.toString(), value: m.value && m.value.toString(), timestamp: Number(m.timestamp),
  headers: Object.fromEntries(Object.entries(m.headers || {}).map(([k, v]) => [k, v.toString()])),
})

// What all members of a group have read together.
class ReadLog {
  values = new Map()
  add(partition, offset, value) { this.values.set(`${partition}-${offset}`, value) }
  async awaitRecords(n, partitions) {
    const places = range(0, n).map(i => [`${i % partitions}-${Math.floor(i / partitions)}`, valueOf(i)])
    await eventually(30_000, () => places.some(([at]) => !this.values.has(at)) && `${this.values.size} of ${n} records were read`)
    equal(this.values.size, n, 'distinct records read')
    for (const [at, value] of places) equal(this.values.get(at), value, `record ${at}`)
  }
}

// Waits until the members own all partitions, none two of them, in shares of these sizes.
const awaitSplit = (sizes, partitions, ...members) =>
  eventually(30_000, () => {
    const owned = members.map(m => [...m.assigned].sort((a, b) => a - b))
    const right = JSON.stringify(owned.map(o => o.length).sort()) === JSON.stringify(sizes) &&
      JSON.stringify(owned.flat().sort((a, b) => a - b)) === JSON.stringify(range(0, partitions))
    return !right && `assignment is ${JSON.stringify(owned)}, want shares ${sizes}`
  })

// The codec and whether there is a producer id, of each batch in a small partition, by a Fetch v4 made by hand: no client tells.
async function storedBatches(topic, partition) {
  const body = Buffer.alloc(200)
  let at = 0
  const i16 = v => { at = body.writeInt16BE(v, at) }
  const i32 = v => { at = body.writeInt32BE(v, at) }
  const str = s => { i16(s.length); at += body.write(s, at) }
  i16(1); i16(4); i32(1); str('raw') // Fetch, version 4
  i32(-1); i32(500); i32(1); i32(1 << 20); at = body.writeInt8(0, at)
  i32(1); str(topic); i32(1); i32(partition); at = body.writeBigInt64BE(0n, at); i32(1 << 20)
  const [host, port] = BOOTSTRAP.split(':')
  const answer = await within(10_000, new Promise((resolve, reject) => {
    const chunks = []
    const socket = net.connect(Number(port), host, () => {
      const size = Buffer.alloc(4)
      size.writeInt32BE(at)
      socket.write(Buffer.concat([size, body.subarray(0, at)]))
    })
    socket.on('error', reject)
    socket.on('data', d => {
      chunks.push(d)
      const all = Buffer.concat(chunks)
      if (all.length >= 4 && all.length >= 4 + all.readInt32BE(0)) { socket.destroy(); resolve(all.subarray(4)) }
    })
  }))
  let p = 4 + 4 + 4 + 2 + topic.length + 4
  equal(answer.readInt16BE(p + 4), 0, 'error of the raw fetch')
  p += 4 + 2 + 8 + 8 + 4 + 4 // partition, error, high watermark, last stable offset, no aborted transactions, size
  const batches = []
  for (; p + 61 <= answer.length; p += 12 + answer.readInt32BE(p + 8)) {
    batches.push([CODECS[answer.readInt16BE(p + 21) & 7], answer.readBigInt64BE(p + 43) >= 0n])
  }
  return batches
}

module.exports = { BOOTSTRAP, CODECS, add, skip, sleep, main, equal, eventually, rejects, unique, range, timeOf, keyOf, valueOf, messageOf, checkRecord, record, ReadLog, awaitSplit, storedBatches }
