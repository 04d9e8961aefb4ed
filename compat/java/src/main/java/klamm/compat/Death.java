package klamm.compat;

import java.io.IOException;
import java.lang.reflect.Field;
import java.time.Duration;
import org.apache.kafka.clients.KafkaClient;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.CloseOptions.GroupMembershipOperation;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ShareConsumer;
import org.apache.kafka.common.KafkaException;

/** Ends a consumer as the end of its process would: its connections close, and nobody is told anything. */
final class Death {
    private Death() { }

    static void of(Consumer<?, ?> consumer) {
        try {
            Object delegate = field(consumer, "delegate");
            if (delegate.getClass().getSimpleName().equals("AsyncKafkaConsumer")) {
                // Told to remain in the group, it leaves it nevertheless (4.3.1).
                disconnect(delegate);
            }
        } catch (ReflectiveOperationException | IOException e) {
            throw new AssertionError(e);
        }
        close(() -> consumer.close(CloseOptions.timeout(Duration.ZERO).withGroupMembershipOperation(GroupMembershipOperation.REMAIN_IN_GROUP)));
    }

    static void of(ShareConsumer<?, ?> consumer) {
        try {
            disconnect(field(consumer, "delegate"));
        } catch (ReflectiveOperationException | IOException e) {
            throw new AssertionError(e);
        }
        close(() -> consumer.close(Duration.ZERO));
    }

    private static void disconnect(Object delegate) throws ReflectiveOperationException, IOException {
        Object thread = field(field(delegate, "applicationEventHandler"), "networkThread");
        of(thread, "closeTimeout").set(thread, Duration.ZERO);
        of(thread, "running").set(thread, false);
        ((KafkaClient) field(field(thread, "networkClientDelegate"), "client")).close();
    }

    private static void close(Runnable close) {
        Thread rest = new Thread(() -> {
            try {
                close.run();
            } catch (KafkaException e) {
                // From 4.4 on it complains that its thread is gone.
            }
        });
        rest.setDaemon(true); // it may wait for answers that cannot come any more
        rest.start();
    }

    private static Object field(Object of, String name) throws ReflectiveOperationException {
        return of(of, name).get(of);
    }

    private static Field of(Object object, String name) throws ReflectiveOperationException {
        Field field = object.getClass().getDeclaredField(name);
        field.setAccessible(true);
        return field;
    }
}
