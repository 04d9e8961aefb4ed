'use strict'
// Runs two Node clients against the broker named by BOOTSTRAP and prints one line per check.
const h = require('./harness.js')
const addCommon = require('./common.js')

process.on('unhandledRejection', () => {}) // of clients that are cut off on purpose; a check that waits for one fails by itself
const clients = [require('./kafkajs.js')]
try {
  clients.push(require('./confluent.js'))
} catch (e) {
  h.skip('kafka-javascript', `its native module could not be built, see ${process.env.COMPAT_INSTALL_LOG}: ${String(e.message).split('\n')[0]}`)
}
for (const client of clients) client.addOwn(addCommon(client))

const [first, name, ...rest] = process.argv.slice(2)
if (first === '--member') clients.find(c => c.name === name).childMain(...rest)
else h.main(first)
