package klamm.compat;

import java.util.List;
import java.util.TreeSet;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.StreamsGroupHeartbeatRequestData;
import org.apache.kafka.common.message.StreamsGroupHeartbeatRequestData.Subtopology;
import org.apache.kafka.common.message.StreamsGroupHeartbeatRequestData.TaskIds;
import org.apache.kafka.common.message.StreamsGroupHeartbeatRequestData.Topology;
import org.apache.kafka.common.message.StreamsGroupHeartbeatResponseData;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.requests.StreamsGroupHeartbeatRequest;
import org.apache.kafka.common.requests.StreamsGroupHeartbeatResponse;

/**
 * A member of a streams group as the protocol sees it: it sends heartbeats in a thread of its own and owns what it is told to.
 * A broker that is gone or no coordinator yet is asked again; that the member is fenced or unknown is a problem.
 */
final class SwapStreamsMember {
    volatile String problem;

    private final String group;
    private final String topic;
    private final String id = Uuid.randomUuid().toString();
    private final Thread thread;
    private volatile boolean leaving;
    private volatile int epoch;
    private volatile int joins;
    private volatile TreeSet<Integer> owned = new TreeSet<>();

    SwapStreamsMember(String group, String topic) {
        this.group = group;
        this.topic = topic;
        thread = new Thread(this::run, "streams member");
        thread.setDaemon(true);
        thread.start();
    }

    TreeSet<Integer> owned() {
        return owned;
    }

    void leave() throws InterruptedException {
        leaving = true;
        thread.join();
    }

    private void run() {
        while (problem == null) {
            try (WireChecks.Connection connection = new WireChecks.Connection()) {
                while (problem == null) {
                    boolean last = leaving;
                    heartbeat(connection, last);
                    if (last) {
                        return;
                    }
                    Thread.sleep(300);
                }
            } catch (java.io.IOException e) {
                sleep();
            } catch (Exception e) {
                problem = "" + e;
            }
        }
    }

    private static void sleep() {
        try {
            Thread.sleep(300);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void heartbeat(WireChecks.Connection connection, boolean last) throws Exception {
        StreamsGroupHeartbeatRequestData data = new StreamsGroupHeartbeatRequestData().setGroupId(group).setMemberId(id)
            .setMemberEpoch(last ? -1 : epoch).setEndpointInformationEpoch(0);
        if (!last) {
            data.setActiveTasks(owned.isEmpty() ? List.of() : List.of(new TaskIds().setSubtopologyId("0").setPartitions(List.copyOf(owned))))
                .setStandbyTasks(List.of()).setWarmupTasks(List.of());
        }
        if (!last && epoch == 0) {
            data.setRebalanceTimeoutMs(30_000).setProcessId(id).setClientTags(List.of())
                .setTopology(new Topology().setEpoch(1).setSubtopologies(List.of(new Subtopology().setSubtopologyId("0").setSourceTopics(List.of(topic))
                    .setSourceTopicRegex(List.of()).setStateChangelogTopics(List.of()).setRepartitionSinkTopics(List.of())
                    .setRepartitionSourceTopics(List.of()).setCopartitionGroups(List.of()))));
        }
        connection.send(new StreamsGroupHeartbeatRequest.Builder(data).build((short) 0));
        StreamsGroupHeartbeatResponseData answer = connection.answer(StreamsGroupHeartbeatResponse.class).data();
        switch (Errors.forCode(answer.errorCode())) {
            case NONE -> took(answer, last);
            case NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE, COORDINATOR_LOAD_IN_PROGRESS -> { }
            default -> problem = "epoch " + epoch + ": " + Errors.forCode(answer.errorCode()) + " " + answer.errorMessage();
        }
    }

    private void took(StreamsGroupHeartbeatResponseData answer, boolean last) {
        if (last) {
            return;
        }
        if (epoch == 0) {
            joins++;
        }
        epoch = answer.memberEpoch();
        if (answer.activeTasks() != null) {
            TreeSet<Integer> tasks = new TreeSet<>();
            answer.activeTasks().forEach(ids -> tasks.addAll(ids.partitions()));
            owned = tasks;
        }
    }

    @Override
    public String toString() {
        return id + " epoch " + epoch + " joined " + joins + " times, owns " + owned;
    }
}
