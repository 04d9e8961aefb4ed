// Kafka's own assignors on the input of assignors.rs (the directory is what compat/kafka/fetch prints):
// java -cp "$(compat/kafka/fetch broker 4.3.1)/*" benches/Assignors.java

import java.util.*;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.coordinator.group.api.assignor.*;
import org.apache.kafka.coordinator.group.assignor.*;
import org.apache.kafka.coordinator.group.modern.*;

public class Assignors {
    static final int MEMBERS = 1_000, TOPICS = 100, PARTITIONS = 100, TIMES = 15, WARM_UP = 40;

    static final SubscribedTopicDescriber DESCRIBER = new SubscribedTopicDescriber() {
        public int numPartitions(Uuid topicId) {
            return PARTITIONS;
        }

        public Set<String> racksForPartition(Uuid topicId, int partition) {
            return Set.of();
        }
    };

    final SortedMap<String, Integer> members = new TreeMap<>();
    final List<Set<Uuid>> subscriptions = new ArrayList<>();
    Map<String, MemberAssignment> owned = Map.of();

    Assignors(int kinds) {
        List<Uuid> topics = new ArrayList<>();
        for (int i = 0; i < TOPICS; i++) topics.add(Uuid.randomUuid());
        for (int i = 0; i < MEMBERS; i++) members.put(Uuid.randomUuid().toString(), i % kinds);
        for (int leftOut = 0; leftOut < kinds; leftOut++) {
            Set<Uuid> subscription = new HashSet<>(topics);
            if (kinds > 1) subscription.remove(topics.get(leftOut));
            subscriptions.add(subscription);
        }
    }

    GroupSpec spec() {
        Map<String, MemberSubscriptionAndAssignmentImpl> specs = new HashMap<>();
        Map<Uuid, Map<Integer, String>> inverted = new HashMap<>();
        members.forEach((id, kind) -> {
            MemberAssignment last = owned.get(id);
            Map<Uuid, Set<Integer>> partitions = last == null ? Map.of() : last.partitions();
            partitions.forEach((topic, set) -> set.forEach(partition ->
                inverted.computeIfAbsent(topic, t -> new HashMap<>()).put(partition, id)));
            specs.put(id, new MemberSubscriptionAndAssignmentImpl(Optional.empty(), Optional.empty(),
                subscriptions.get(kind), new Assignment(Collections.unmodifiableMap(partitions))));
        });
        return new GroupSpecImpl(specs, subscriptions.size() == 1
            ? SubscriptionType.HOMOGENEOUS : SubscriptionType.HETEROGENEOUS, inverted);
    }

    void report(PartitionAssignor assignor, String what) {
        GroupSpec spec = spec();
        for (int i = 0; i < WARM_UP; i++) assignor.assign(spec, DESCRIBER);
        long[] times = new long[TIMES];
        for (int i = 0; i < TIMES; i++) {
            long began = System.nanoTime();
            assignor.assign(spec, DESCRIBER);
            times[i] = System.nanoTime() - began;
        }
        Arrays.sort(times);
        System.out.printf("%-8s %-10s %-10s %9.3f ms%n", assignor.name(),
            subscriptions.size() == 1 ? "same" : "different", what, times[TIMES / 2] / 1e6);
    }

    public static void main(String[] arguments) {
        for (int kinds : new int[] {1, 10}) {
            for (PartitionAssignor assignor : List.of(new UniformAssignor(), new RangeAssignor())) {
                Assignors group = new Assignors(kinds);
                group.report(assignor, "first");
                group.owned = assignor.assign(group.spec(), DESCRIBER).members();
                group.report(assignor, "unchanged");
                group.members.put("zz-newcomer", 0);
                group.report(assignor, "one joins");
                group.members.remove("zz-newcomer");
                group.members.remove(group.members.lastKey());
                group.report(assignor, "one leaves");
            }
        }
    }
}
