package klamm.compat;

import static klamm.compat.Suite.equal;
import static klamm.compat.Suite.that;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.message.ApiVersionsRequestData;
import org.apache.kafka.common.message.InitProducerIdRequestData;
import org.apache.kafka.common.message.ProduceRequestData;
import org.apache.kafka.common.message.ProduceRequestData.PartitionProduceData;
import org.apache.kafka.common.message.ProduceRequestData.TopicProduceData;
import org.apache.kafka.common.message.ProduceRequestData.TopicProduceDataCollection;
import org.apache.kafka.common.message.ProduceResponseData.PartitionProduceResponse;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.SimpleRecord;
import org.apache.kafka.common.requests.AbstractRequest;
import org.apache.kafka.common.requests.AbstractResponse;
import org.apache.kafka.common.requests.ApiVersionsRequest;
import org.apache.kafka.common.requests.ApiVersionsResponse;
import org.apache.kafka.common.requests.InitProducerIdRequest;
import org.apache.kafka.common.requests.InitProducerIdResponse;
import org.apache.kafka.common.requests.ProduceRequest;
import org.apache.kafka.common.requests.ProduceResponse;
import org.apache.kafka.common.requests.RequestHeader;

/** What a client sends only when something went wrong before: requests by hand, with Kafka's own messages. */
final class WireChecks {
    private WireChecks() { }

    static void run(Suite suite) {
        suite.check("wire: ApiVersions of a version too high", WireChecks::apiVersionsTooHigh);
        suite.check("wire: many requests in flight are answered in order", WireChecks::pipelined);
        suite.check("wire: a batch sent again is acknowledged with its first offset", WireChecks::duplicate);
        suite.check("wire: a gap in the sequence numbers", WireChecks::gap);
        suite.check("wire: an old producer epoch", WireChecks::oldEpoch);
        suite.check("wire: a batch with a wrong checksum", WireChecks::corrupt);
    }

    /** One connection; answers are taken in the order of the requests. */
    static final class Connection implements AutoCloseable {
        private final Socket socket;
        private final DataOutputStream out;
        private final DataInputStream in;
        private final Deque<RequestHeader> waiting = new ArrayDeque<>();
        private int correlation;

        /** To the first of several brokers. */
        Connection() throws IOException {
            this(Broker.BOOTSTRAP.split(",")[0]);
        }

        /** To the leader of the first partition of a topic. */
        static Connection to(String topic) throws Exception {
            return new Connection(Broker.address(Broker.leader(topic, 0)));
        }

        private Connection(String at) throws IOException {
            String[] address = at.split(":");
            socket = new Socket(address[0], Integer.parseInt(address[1]));
            socket.setSoTimeout(10_000);
            socket.setTcpNoDelay(true);
            out = new DataOutputStream(socket.getOutputStream());
            in = new DataInputStream(socket.getInputStream());
        }

        void send(AbstractRequest request) throws IOException {
            RequestHeader header = new RequestHeader(request.apiKey(), request.version(), "wire", correlation++);
            waiting.add(header);
            frame(request.serializeWithHeader(header));
        }

        void frame(ByteBuffer bytes) throws IOException {
            out.writeInt(bytes.remaining());
            out.write(bytes.array(), bytes.arrayOffset() + bytes.position(), bytes.remaining());
            out.flush();
        }

        ByteBuffer receive() throws IOException {
            return ByteBuffer.wrap(in.readNBytes(in.readInt()));
        }

        /** The next answer, which has to carry the correlation id of the oldest request. */
        <T extends AbstractResponse> T answer(Class<T> type) throws IOException {
            return type.cast(AbstractResponse.parseResponse(receive(), waiting.remove()));
        }

        @Override
        public void close() throws IOException {
            socket.close();
        }
    }

    private static InitProducerIdResponse producerId(Connection connection) throws IOException {
        connection.send(new InitProducerIdRequest.Builder(new InitProducerIdRequestData().setTransactionalId(null).setTransactionTimeoutMs(Integer.MAX_VALUE)
            .setProducerId(-1).setProducerEpoch((short) -1)).build());
        return connection.answer(InitProducerIdResponse.class);
    }

    private static MemoryRecords batch(long producerId, int epoch, int sequence, int count) {
        SimpleRecord[] records = new SimpleRecord[count];
        for (int i = 0; i < count; i++) {
            records[i] = new SimpleRecord(System.currentTimeMillis(), ("" + (sequence + i)).getBytes(), ("" + (sequence + i)).getBytes());
        }
        return MemoryRecords.withIdempotentRecords(Compression.NONE, producerId, (short) epoch, sequence, records);
    }

    private static PartitionProduceResponse produce(Connection connection, String topic, MemoryRecords records) throws IOException {
        ProduceRequestData data = new ProduceRequestData().setAcks((short) -1).setTimeoutMs(5000);
        data.setTopicData(new TopicProduceDataCollection(List.of(new TopicProduceData().setName(topic)
            .setPartitionData(List.of(new PartitionProduceData().setIndex(0).setRecords(records)))).iterator()));
        connection.send(ProduceRequest.builder(data).build((short) 12)); // the last version with names instead of ids
        return connection.answer(ProduceResponse.class).data().responses().iterator().next().partitionResponses().get(0);
    }

    private static void error(Errors expected, PartitionProduceResponse response) {
        equal(expected, Errors.forCode(response.errorCode()), "error");
    }

    private static void apiVersionsTooHigh() throws Exception {
        try (Connection connection = new Connection()) {
            // Key 18, version 99, correlation id 5, client id "x", no tagged fields: whatever follows is unknown to the broker.
            connection.frame(ByteBuffer.wrap(new byte[] {0, 18, 0, 99, 0, 0, 0, 5, 0, 1, 'x', 0, 1, 2, 3}));
            ByteBuffer answer = connection.receive();
            equal(5, answer.getInt(), "correlation id");
            equal(Errors.UNSUPPORTED_VERSION.code(), answer.getShort(), "error code, in the layout of version 0");
            equal(1, answer.getInt(), "number of APIs");
            equal(ApiKeys.API_VERSIONS.id, answer.getShort(), "API");
            equal((short) 0, answer.getShort(), "lowest version");
            that(answer.getShort() >= 4, "highest version");
            that(!answer.hasRemaining(), answer.remaining() + " bytes more");
            // The connection goes on.
            connection.send(new ApiVersionsRequest(new ApiVersionsRequestData().setClientSoftwareName("wire").setClientSoftwareVersion("1"), (short) 3));
            ApiVersionsResponse versions = connection.answer(ApiVersionsResponse.class);
            equal(Errors.NONE.code(), versions.data().errorCode(), "error of the second try");
            equal((short) 13, versions.apiVersion(ApiKeys.PRODUCE.id).maxVersion(), "highest version of Produce");
            equal((short) 0, versions.apiVersion(ApiKeys.PRODUCE.id).minVersion(), "lowest version of Produce");
        }
    }

    private static void pipelined() throws Exception {
        String topic = Broker.topic("pipelined", 1);
        int count = 200;
        try (Connection connection = Connection.to(topic)) {
            InitProducerIdResponse id = producerId(connection);
            for (int i = 0; i < count; i++) {
                connection.send(new ApiVersionsRequest(new ApiVersionsRequestData().setClientSoftwareName("wire").setClientSoftwareVersion("1"), (short) (i % 4)));
                ProduceRequestData data = new ProduceRequestData().setAcks((short) -1).setTimeoutMs(5000);
                data.setTopicData(new TopicProduceDataCollection(List.of(new TopicProduceData().setName(topic).setPartitionData(
                    List.of(new PartitionProduceData().setIndex(0).setRecords(batch(id.data().producerId(), 0, i, 1))))).iterator()));
                connection.send(ProduceRequest.builder(data).build((short) 9));
            }
            List<Long> offsets = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                equal(Errors.NONE.code(), connection.answer(ApiVersionsResponse.class).data().errorCode(), "error");
                PartitionProduceResponse response = connection.answer(ProduceResponse.class).data().responses().iterator().next().partitionResponses().get(0);
                error(Errors.NONE, response);
                offsets.add(response.baseOffset());
            }
            for (int i = 0; i < count; i++) {
                equal((long) i, offsets.get(i), "offset of request " + i);
            }
        }
        Broker.numbered(Broker.read(topic, 0), 0, count);
    }

    private static void duplicate() throws Exception {
        String topic = Broker.topic("duplicate", 1);
        try (Connection connection = Connection.to(topic)) {
            long id = producerId(connection).data().producerId();
            List<MemoryRecords> batches = new ArrayList<>();
            for (int i = 0; i < 6; i++) {
                batches.add(batch(id, 0, i * 3, 3));
                PartitionProduceResponse response = produce(connection, topic, batches.get(i));
                error(Errors.NONE, response);
                equal(i * 3L, response.baseOffset(), "offset of batch " + i);
            }
            // The broker remembers the last five batches of a producer.
            for (int i = 5; i >= 1; i--) {
                PartitionProduceResponse again = produce(connection, topic, batches.get(i));
                error(Errors.NONE, again);
                equal(i * 3L, again.baseOffset(), "offset of batch " + i + ", sent again");
            }
            // What is older is not recognized.
            error(Errors.OUT_OF_ORDER_SEQUENCE_NUMBER, produce(connection, topic, batches.get(0)));
            equal(18L, produce(connection, topic, batch(id, 0, 18, 1)).baseOffset(), "offset of the next batch");
        }
        Broker.numbered(Broker.read(topic, 0), 0, 19);
    }

    private static void gap() throws Exception {
        String topic = Broker.topic("gap", 1);
        try (Connection connection = Connection.to(topic)) {
            long id = producerId(connection).data().producerId();
            error(Errors.NONE, produce(connection, topic, batch(id, 0, 0, 2)));
            error(Errors.OUT_OF_ORDER_SEQUENCE_NUMBER, produce(connection, topic, batch(id, 0, 3, 1)));
            // A new epoch starts at 0.
            error(Errors.OUT_OF_ORDER_SEQUENCE_NUMBER, produce(connection, topic, batch(id, 1, 2, 1)));
            error(Errors.NONE, produce(connection, topic, batch(id, 0, 2, 1)));
        }
        Broker.numbered(Broker.read(topic, 0), 0, 3);
    }

    private static void oldEpoch() throws Exception {
        String topic = Broker.topic("epoch", 1);
        try (Connection connection = Connection.to(topic)) {
            long id = producerId(connection).data().producerId();
            error(Errors.NONE, produce(connection, topic, batch(id, 0, 0, 1)));
            error(Errors.NONE, produce(connection, topic, batch(id, 1, 0, 1)));
            error(Errors.INVALID_PRODUCER_EPOCH, produce(connection, topic, batch(id, 0, 1, 1)));
        }
        equal(2L, Broker.end(topic, 0), "end of the log");
    }

    private static void corrupt() throws Exception {
        String topic = Broker.topic("corrupt", 1);
        try (Connection connection = Connection.to(topic)) {
            MemoryRecords records = batch(-1, -1, -1, 2);
            ByteBuffer bytes = records.buffer();
            bytes.put(bytes.limit() - 1, (byte) (bytes.get(bytes.limit() - 1) ^ 1));
            error(Errors.CORRUPT_MESSAGE, produce(connection, topic, records));
            equal(0L, Broker.end(topic, 0), "end of the log");
            equal(0L, produce(connection, topic, batch(-1, -1, -1, 1)).baseOffset(), "offset of a sound batch");
        }
    }
}
