import com.github.luben.zstd.Zstd;
import com.github.luben.zstd.ZstdCompressCtx;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.zip.CRC32;
import java.util.zip.Deflater;
import net.jpountz.lz4.LZ4Factory;
import net.jpountz.xxhash.XXHashFactory;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.record.internal.DefaultRecord;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MutableRecordBatch;
import org.apache.kafka.common.record.internal.Record;
import org.xerial.snappy.Snappy;

/**
 * Makes compressed payloads, usual and odd ones, and writes down which of them may stand in a log: those that Kafka's
 * broker reads when it validates a batch, and that every consumer can read then. A row, its fields between tabs:
 *
 *   frame NAME CODEC VERDICT HEX
 *   cuts NAME VERDICTS           the same payload cut to each length from 0 on
 *   bits NAME VERDICTS           the same payload with each of its bits turned over, from the lowest of the first byte on
 *
 * A verdict is a (accepted) or r (refused).
 */
public final class OddFrames {
    private static final int RECORDS = 3;
    private static final int HEADER_SIZE = 61;
    private static final byte[] RAW = records(new byte[0]);
    /** More than the smallest of LZ4's largest blocks. */
    private static final byte[] LARGE = records(new byte[30_000]);

    private OddFrames() {
    }

    public static void main(String[] args) throws IOException {
        gzip();
        snappy();
        lz4();
        lz4Blocks();
        zstd();
    }

    private static void gzip() throws IOException {
        byte[] usual = member(0, new byte[0], RAW);
        whole("gzip", 1, usual);
        byte[] half = member(0, new byte[0], Arrays.copyOf(RAW, 50));
        byte[] rest = member(0, new byte[0], Arrays.copyOfRange(RAW, 50, RAW.length));
        byte[] empty = member(0, new byte[0], new byte[0]);
        whole("gzip-two-members", 1, join(half, rest));
        frame("gzip-empty-member-first", 1, join(empty, usual));
        frame("gzip-empty-member-between", 1, join(half, empty, rest));
        frame("gzip-empty-member-last", 1, join(usual, empty));
        frame("gzip-member-twice", 1, join(usual, usual));
        frame("gzip-nothing", 1, empty);
        frame("gzip-no-bytes", 1, new byte[0]);
        for (int size : new int[] {1, 2, 3, 8, 9, 10, 17, 18, 19, 20, 40}) {
            frame("gzip-zeros-" + size, 1, join(usual, new byte[size]));
            frame("gzip-begun-member-" + size, 1, join(usual, Arrays.copyOf(member(0, new byte[0], LARGE), size)));
        }
        frame("gzip-junk", 1, join(usual, "junk that is no gzip member at all".getBytes()));
        frame("gzip-bad-method-behind", 1, join(usual, spoil(usual, 2, 7)));
        frame("gzip-bad-header-checksum-behind", 1, join(usual, member(2, new byte[] {1, 2}, RAW)));
        frame("gzip-cut-name-behind", 1, join(usual, Arrays.copyOf(member(8, "name".getBytes(), RAW), 30)));
        byte[] extra = {3, 0, 'a', 'b', 'c'};
        whole("gzip-extra-name-comment", 1, member(4 + 8 + 16, join(extra, "name\0comment\0".getBytes()), RAW));
        frame("gzip-text", 1, member(1, new byte[0], RAW));
        byte[] header = join(new byte[] {0x1f, (byte) 0x8b, 8, 2}, new byte[6]);
        CRC32 crc = new CRC32();
        crc.update(header);
        int sum = (int) crc.getValue();
        whole("gzip-header-checksum", 1, member(2, new byte[] {(byte) sum, (byte) (sum >> 8)}, RAW));
        frame("gzip-reserved-flags", 1, member(0xe0, new byte[0], RAW));
        frame("gzip-large", 1, member(0, new byte[0], LARGE));
        frame("gzip-is-zlib", 1, deflate(RAW, false));
        frame("gzip-is-deflate", 1, deflate(RAW, true));
    }

    /** A member with these flags and what they announce. */
    private static byte[] member(int flags, byte[] optional, byte[] raw) {
        CRC32 crc = new CRC32();
        crc.update(raw);
        byte[] header = {0x1f, (byte) 0x8b, 8, (byte) flags, 0, 0, 0, 0, 0, 0};
        return join(header, optional, deflate(raw, true), little((int) crc.getValue()), little(raw.length));
    }

    private static byte[] deflate(byte[] raw, boolean bare) {
        Deflater deflater = new Deflater(6, bare);
        deflater.setInput(raw);
        deflater.finish();
        byte[] out = new byte[raw.length + 100];
        return Arrays.copyOf(out, deflater.deflate(out));
    }

    private static void snappy() throws IOException {
        byte[] usual = join(xerial(1, 1), chunks(RAW, 1 << 15));
        whole("snappy", 2, usual);
        whole("snappy-raw", 2, Snappy.compress(RAW));
        whole("snappy-chunks", 2, join(xerial(1, 1), chunks(RAW, 40)));
        for (int version : new int[] {-1, 0, 2, 9}) {
            frame("snappy-version-" + version, 2, join(xerial(version, version), chunks(RAW, 40)));
            frame("snappy-again-version-" + version, 2, again(xerial(version, version)));
        }
        frame("snappy-header-again", 2, again(xerial(1, 1)));
        frame("snappy-header-last", 2, join(usual, xerial(1, 1)));
        frame("snappy-header-twice", 2, join(xerial(1, 1), usual));
        frame("snappy-header-version-0-last", 2, join(usual, xerial(0, 0)));
        byte[] otherMagic = spoil(xerial(1, 1), 6, 'X');
        frame("snappy-other-magic", 2, join(otherMagic, chunks(RAW, 40)));
        frame("snappy-other-magic-again", 2, again(otherMagic));
        frame("snappy-other-magic-last", 2, join(usual, otherMagic));
        for (int size = 1; size <= 5; size++) {
            frame("snappy-zeros-" + size, 2, join(usual, new byte[size]));
        }
        frame("snappy-raw-and-more", 2, join(Snappy.compress(RAW), new byte[1]));
        frame("snappy-empty-chunk-first", 2, join(xerial(1, 1), big(0), chunks(RAW, 40)));
        frame("snappy-chunk-of-nothing-first", 2, join(xerial(1, 1), big(1), new byte[1], chunks(RAW, 40)));
        frame("snappy-chunk-of-nothing-between", 2, again(join(big(1), new byte[1])));
        frame("snappy-chunk-of-nothing-last", 2, join(usual, big(1), new byte[1]));
        frame("snappy-negative-chunk", 2, join(usual, big(-1)));
        frame("snappy-huge-chunk", 2, join(usual, big(Integer.MAX_VALUE)));
        frame("snappy-chunk-too-long", 2, spoil(usual, 19, usual[19] + 1));
        frame("snappy-header-alone", 2, xerial(1, 1));
        frame("snappy-no-bytes", 2, new byte[0]);
        frame("snappy-large", 2, join(xerial(1, 1), chunks(LARGE, 1 << 20)));
        frame("snappy-is-uncompressed", 2, RAW);
    }

    /** These bytes between two halves. */
    private static byte[] again(byte[] between) throws IOException {
        byte[] half = chunks(Arrays.copyOf(RAW, 50), 100);
        return join(xerial(1, 1), half, between, chunks(Arrays.copyOfRange(RAW, 50, RAW.length), 100));
    }

    private static byte[] xerial(int version, int compatible) {
        return join(new byte[] {(byte) 0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}, big(version), big(compatible));
    }

    private static byte[] chunks(byte[] raw, int size) throws IOException {
        byte[] out = {};
        for (int at = 0; at < raw.length; at += size) {
            byte[] chunk = Snappy.compress(Arrays.copyOfRange(raw, at, Math.min(raw.length, at + size)));
            out = join(out, big(chunk.length), chunk);
        }
        return out;
    }

    private static final int END = 0;
    private static final int INDEPENDENT = 0x60;

    private static void lz4() {
        byte[] usual = join(descriptor(INDEPENDENT, 0x40, new byte[0]), blocks(RAW, 1 << 16, false), little(END));
        whole("lz4", 3, usual);
        frame("lz4-linked", 3, join(descriptor(0x40, 0x40, new byte[0]), blocks(RAW, 1 << 16, false), little(END)));
        frame("lz4-linked-blocks", 3, join(descriptor(0x40, 0x40, new byte[0]), blocks(RAW, 40, false), little(END)));
        whole("lz4-blocks", 3, join(descriptor(INDEPENDENT, 0x40, new byte[0]), blocks(RAW, 40, false), little(END)));
        whole("lz4-block-checksums", 3, join(descriptor(INDEPENDENT | 16, 0x40, new byte[0]), blocks(RAW, 40, true), little(END)));
        byte[] sum = little(hash(RAW));
        byte[] withSum = join(descriptor(INDEPENDENT | 4, 0x40, new byte[0]), blocks(RAW, 1 << 16, false), little(END));
        whole("lz4-content-checksum", 3, join(withSum, sum));
        frame("lz4-content-checksum-wrong", 3, join(withSum, new byte[4]));
        frame("lz4-content-checksum-missing", 3, withSum);
        for (long size : new long[] {RAW.length, RAW.length + 1, 0, -1}) {
            byte[] announced = join(little((int) size), little((int) (size >> 32)));
            byte[] frame = join(descriptor(INDEPENDENT | 8, 0x40, announced), blocks(RAW, 1 << 16, false), little(END));
            frame("lz4-content-size-" + size, 3, frame);
        }
        frame("lz4-dictionary-id", 3, join(descriptor(INDEPENDENT | 1, 0x40, little(0)), blocks(RAW, 1 << 16, false), little(END)));
        frame("lz4-reserved-flag", 3, join(descriptor(INDEPENDENT | 2, 0x40, new byte[0]), blocks(RAW, 1 << 16, false), little(END)));
        for (int version : new int[] {0x20, 0xa0, 0xe0}) {
            frame("lz4-version-" + (version >> 6), 3, join(descriptor(version, 0x40, new byte[0]), blocks(RAW, 1 << 16, false), little(END)));
        }
        for (int size : new int[] {0, 0x10, 0x20, 0x30, 0x50, 0x60, 0x70, 0xc0, 0x41, 0x48}) {
            frame("lz4-descriptor-" + size, 3, join(descriptor(INDEPENDENT, size, new byte[0]), blocks(RAW, 1 << 16, false), little(END)));
        }
        byte[] oldChecksum = usual.clone();
        oldChecksum[6] = (byte) (XXHashFactory.safeInstance().hash32().hash(usual, 0, 6, 0) >> 8);
        frame("lz4-checksum-over-magic", 3, oldChecksum);
        frame("lz4-no-end", 3, Arrays.copyOf(usual, usual.length - 4));
        frame("lz4-zeros", 3, join(usual, new byte[7]));
        frame("lz4-junk", 3, join(usual, "junk".getBytes()));
        frame("lz4-frame-twice", 3, join(usual, usual));
        byte[] head = descriptor(INDEPENDENT, 0x40, new byte[0]);
        frame("lz4-two-frames", 3, join(head, blocks(Arrays.copyOf(RAW, 50), 100, false), little(END),
            head, blocks(Arrays.copyOfRange(RAW, 50, RAW.length), 100, false), little(END)));
        frame("lz4-nothing", 3, join(head, little(END)));
        frame("lz4-no-bytes", 3, new byte[0]);
        byte[] skippable = join(little(0x184d2a50), little(4), "skip".getBytes());
        frame("lz4-skippable-first", 3, join(skippable, usual));
        frame("lz4-skippable-last", 3, join(usual, skippable));
        frame("lz4-legacy", 3, join(little(0x184c2102), blocks(RAW, 1 << 16, false)));
    }

    private static void lz4Blocks() {
        byte[] head = descriptor(INDEPENDENT, 0x40, new byte[0]);
        byte[] raw = blocks(RAW, 1 << 16, false);
        byte[] nothing = join(little(1), new byte[1]);
        byte[] first = blocks(Arrays.copyOf(RAW, 50), 100, false);
        byte[] second = blocks(Arrays.copyOfRange(RAW, 50, RAW.length), 100, false);
        frame("lz4-block-of-nothing-first", 3, join(head, nothing, raw, little(END)));
        frame("lz4-block-of-nothing-between", 3, join(head, first, nothing, second, little(END)));
        frame("lz4-block-of-nothing-last", 3, join(head, raw, nothing, little(END)));
        frame("lz4-block-of-nothing-ends", 3, join(head, raw, nothing));
        frame("lz4-uncompressed-block", 3, join(head, little(RAW.length | 1 << 31), RAW, little(END)));
        frame("lz4-uncompressed-end", 3, join(head, raw, little(1 << 31)));
        frame("lz4-block-too-long", 3, join(head, raw, little(70_000), new byte[10]));
        for (int size : new int[] {0x40, 0x50, 0x60, 0x70}) {
            frame("lz4-large-" + size, 3, join(descriptor(INDEPENDENT, size, new byte[0]), blocks(LARGE, 1 << 20, false), little(END)));
        }
        // The last literals of a block: at least five, its last match at least twelve bytes before the end.
        for (int last = 0; last <= 9; last++) {
            int matched = RAW.length - last;
            byte[] start = Arrays.copyOf(RAW, matched - 4);
            // The four bytes before the last ones are a match of what was put in front as literals.
            byte[] from = Arrays.copyOfRange(RAW, matched - 4, matched);
            int at = indexOf(start, from);
            if (at < 0) {
                continue;
            }
            int distance = start.length - at;
            byte[] block = join(literals(start.length, 0), start, new byte[] {(byte) distance, (byte) (distance >> 8)},
                literals(last, 0), Arrays.copyOfRange(RAW, matched, RAW.length));
            frame("lz4-last-literals-" + last, 3, join(head, little(block.length), block, little(END)));
        }
        byte[] literal = join(literals(RAW.length, 7), RAW);
        frame("lz4-literals-and-match-length", 3, join(head, little(literal.length), literal, little(END)));
    }

    private static int indexOf(byte[] bytes, byte[] part) {
        for (int at = 0; at + part.length <= bytes.length; at++) {
            if (Arrays.equals(bytes, at, at + part.length, part, 0, part.length)) {
                return at;
            }
        }
        return -1;
    }

    private static byte[] literals(int count, int match) {
        return count < 15 ? new byte[] {(byte) (count << 4 | match)} : new byte[] {(byte) (0xf0 | match), (byte) (count - 15)};
    }

    private static byte[] descriptor(int flags, int sizes, byte[] optional) {
        byte[] descriptor = join(new byte[] {(byte) flags, (byte) sizes}, optional);
        return join(little(0x184d2204), descriptor, new byte[] {(byte) (hash(descriptor) >> 8)});
    }

    private static byte[] blocks(byte[] raw, int size, boolean checksums) {
        byte[] out = {};
        for (int at = 0; at < raw.length; at += size) {
            byte[] part = Arrays.copyOfRange(raw, at, Math.min(raw.length, at + size));
            byte[] block = LZ4Factory.safeInstance().fastCompressor().compress(part);
            out = join(out, little(block.length), block, checksums ? little(hash(block)) : new byte[0]);
        }
        return out;
    }

    private static int hash(byte[] bytes) {
        return XXHashFactory.safeInstance().hash32().hash(bytes, 0, bytes.length, 0);
    }

    private static void zstd() {
        byte[] usual = zstd(RAW, false, true);
        whole("zstd", 4, usual);
        whole("zstd-checksum", 4, zstd(RAW, true, true));
        whole("zstd-no-size", 4, zstd(RAW, false, false));
        byte[] half = zstd(Arrays.copyOf(RAW, 50), false, true);
        byte[] rest = zstd(Arrays.copyOfRange(RAW, 50, RAW.length), false, true);
        whole("zstd-two-frames", 4, join(half, rest));
        byte[] empty = zstd(new byte[0], false, true);
        frame("zstd-empty-frame-first", 4, join(empty, usual));
        frame("zstd-empty-frame-between", 4, join(half, empty, rest));
        frame("zstd-empty-frame-last", 4, join(usual, empty));
        frame("zstd-nothing", 4, empty);
        frame("zstd-no-bytes", 4, new byte[0]);
        frame("zstd-frame-twice", 4, join(usual, usual));
        byte[] skippable = join(little(0x184d2a50), little(4), "skip".getBytes());
        frame("zstd-skippable-first", 4, join(skippable, usual));
        frame("zstd-skippable-between", 4, join(half, skippable, rest));
        frame("zstd-skippable-last", 4, join(usual, skippable));
        frame("zstd-skippable-cut", 4, join(usual, Arrays.copyOf(skippable, 10)));
        for (int size = 1; size <= 5; size++) {
            frame("zstd-zeros-" + size, 4, join(usual, new byte[size]));
        }
        frame("zstd-junk", 4, join(usual, "junk".getBytes()));
        for (int log : new int[] {10, 23, 26, 27, 28, 31, 41}) {
            frame("zstd-window-" + log, 4, stored(0, new byte[] {(byte) (log - 10 << 3)}));
        }
        frame("zstd-window-27-and-more", 4, stored(0, new byte[] {(byte) (27 - 10 << 3 | 1)}));
        frame("zstd-dictionary-id-0", 4, stored(1, new byte[] {0, 0}));
        frame("zstd-dictionary-id-5", 4, stored(1, new byte[] {0, 5}));
        frame("zstd-unused-bit", 4, stored(0x10, new byte[] {0}));
        frame("zstd-reserved-bit", 4, stored(8, new byte[] {0}));
        frame("zstd-size", 4, stored(0x20, new byte[] {(byte) RAW.length}));
        frame("zstd-size-too-small", 4, stored(0x20, new byte[] {(byte) (RAW.length - 1)}));
        frame("zstd-size-too-large", 4, stored(0x20, new byte[] {(byte) (RAW.length + 1)}));
        frame("zstd-magic-of-0.7", 4, spoil(usual, 0, 0x27));
        frame("zstd-large", 4, zstd(LARGE, true, false));
    }

    private static byte[] zstd(byte[] raw, boolean checksum, boolean size) {
        try (ZstdCompressCtx context = new ZstdCompressCtx()) {
            return context.setLevel(3).setChecksum(checksum).setContentSize(size).compress(raw);
        }
    }

    /** A frame of one block that is not compressed. */
    private static byte[] stored(int descriptor, byte[] optional) {
        byte[] block = Arrays.copyOf(little(1 | RAW.length << 3), 3);
        return join(little(Zstd.magicNumber()), new byte[] {(byte) descriptor}, optional, block, RAW);
    }

    /** The frame, and it spoilt in every simple way. */
    private static void whole(String name, int codec, byte[] payload) {
        frame(name, codec, payload);
        StringBuilder cuts = new StringBuilder();
        for (int size = 0; size < payload.length; size++) {
            cuts.append(verdict(codec, Arrays.copyOf(payload, size)));
        }
        System.out.println("cuts\t" + name + "\t" + cuts);
        StringBuilder bits = new StringBuilder();
        for (int bit = 0; bit < payload.length * 8; bit++) {
            bits.append(verdict(codec, spoil(payload, bit / 8, payload[bit / 8] ^ 1 << bit % 8)));
        }
        System.out.println("bits\t" + name + "\t" + bits);
    }

    private static void frame(String name, int codec, byte[] payload) {
        String hex = HexFormat.of().formatHex(payload);
        System.out.println(String.join("\t", "frame", name, "" + codec, "" + verdict(codec, payload), hex));
    }

    private static char verdict(int codec, byte[] payload) {
        try {
            MutableRecordBatch batch = MemoryRecords.readableRecords(batch(codec, payload)).batches().iterator().next();
            return count(asBroker(batch)) == RECORDS && count(batch.iterator()) == RECORDS ? 'a' : 'r';
        } catch (NoSuchMethodException | IllegalAccessException e) {
            throw new IllegalStateException(e);
        } catch (Throwable e) {
            return 'r';
        }
    }

    /** Of the method's parameter it is only known that it can be made: its package is another one in each version. */
    @SuppressWarnings("unchecked")
    private static Iterator<Record> asBroker(MutableRecordBatch batch) throws ReflectiveOperationException {
        for (Method method : MutableRecordBatch.class.getMethods()) {
            if (method.getName().equals("skipKeyValueIterator")) {
                Object buffers = method.getParameterTypes()[0].getMethod("create").invoke(null);
                return (Iterator<Record>) method.invoke(batch, buffers);
            }
        }
        throw new NoSuchMethodException("skipKeyValueIterator");
    }

    private static int count(Iterator<Record> records) {
        int count = 0;
        for (; records.hasNext(); records.next()) {
            count++;
        }
        return count;
    }

    private static ByteBuffer batch(int codec, byte[] payload) {
        ByteBuffer batch = ByteBuffer.allocate(HEADER_SIZE + payload.length);
        batch.putLong(0).putInt(HEADER_SIZE - 12 + payload.length).putInt(-1).put((byte) 2).putInt(0);
        batch.putShort((short) codec).putInt(RECORDS - 1).putLong(0).putLong(0);
        batch.putLong(-1).putShort((short) -1).putInt(-1).putInt(RECORDS).put(payload);
        return batch.flip();
    }

    private static byte[] records(byte[] filler) {
        try {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            for (int i = 0; i < RECORDS; i++) {
                byte[] value = join(("value value value value " + i).getBytes(), filler);
                DefaultRecord.writeTo(new DataOutputStream(out), i, i, ByteBuffer.wrap(("key" + i).getBytes()),
                    ByteBuffer.wrap(value), new Header[0]);
            }
            return out.toByteArray();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private static byte[] spoil(byte[] bytes, int at, int value) {
        byte[] spoilt = bytes.clone();
        spoilt[at] = (byte) value;
        return spoilt;
    }

    private static byte[] join(byte[]... parts) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            out.writeBytes(part);
        }
        return out.toByteArray();
    }

    private static byte[] little(int value) {
        return ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array();
    }

    private static byte[] big(int value) {
        return ByteBuffer.allocate(4).putInt(value).array();
    }
}
