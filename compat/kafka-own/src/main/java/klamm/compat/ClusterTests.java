package klamm.compat;

import org.apache.kafka.common.test.ClusterInstance;
import org.apache.kafka.common.test.api.AutoStart;
import org.apache.kafka.common.test.api.ClusterConfig;
import org.apache.kafka.common.test.api.ClusterConfigProperty;
import org.apache.kafka.common.test.api.ClusterFeature;
import org.apache.kafka.common.test.api.ClusterTemplate;
import org.apache.kafka.common.test.api.ClusterTest;
import org.apache.kafka.common.test.api.ClusterTestDefaults;
import org.apache.kafka.common.test.api.Type;
import org.apache.kafka.server.common.Feature;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.Extension;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;
import org.junit.jupiter.api.extension.TestTemplateInvocationContext;
import org.junit.jupiter.api.extension.TestTemplateInvocationContextProvider;

import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/** Runs the methods that Kafka's annotations mark, each on a {@link Cluster} of its own. */
public final class ClusterTests implements TestTemplateInvocationContextProvider {
    @ClusterTestDefaults
    private static final class Defaults { }

    @Override
    public boolean supportsTestTemplate(ExtensionContext context) {
        return !annotations(context.getRequiredTestMethod()).isEmpty()
            || context.getRequiredTestMethod().isAnnotationPresent(ClusterTemplate.class);
    }

    @Override
    public boolean mayReturnZeroTestTemplateInvocationContexts(ExtensionContext context) {
        return true;
    }

    @Override
    public Stream<TestTemplateInvocationContext> provideTestTemplateInvocationContexts(ExtensionContext context) {
        Class<?> type = context.getRequiredTestClass();
        Method method = context.getRequiredTestMethod();
        ClusterTestDefaults defaults = type.isAnnotationPresent(ClusterTestDefaults.class)
            ? type.getAnnotation(ClusterTestDefaults.class)
            : Defaults.class.getAnnotation(ClusterTestDefaults.class);
        List<ClusterConfig> configs = new ArrayList<>();
        annotations(method).forEach(test -> configs.add(config(test, defaults)));
        if (method.isAnnotationPresent(ClusterTemplate.class)) {
            configs.addAll(fromMethod(type, method.getAnnotation(ClusterTemplate.class).value()));
        }
        return configs.stream().map(ClusterTests::invocation);
    }

    private static List<ClusterTest> annotations(Method method) {
        List<ClusterTest> found = new ArrayList<>();
        if (method.isAnnotationPresent(ClusterTest.class)) {
            found.add(method.getAnnotation(ClusterTest.class));
        }
        if (method.isAnnotationPresent(org.apache.kafka.common.test.api.ClusterTests.class)) {
            found.addAll(List.of(method.getAnnotation(org.apache.kafka.common.test.api.ClusterTests.class).value()));
        }
        return found;
    }

    @SuppressWarnings("unchecked")
    private static List<ClusterConfig> fromMethod(Class<?> type, String name) {
        try {
            Method method = type.getDeclaredMethod(name);
            method.setAccessible(true);
            return (List<ClusterConfig>) method.invoke(null);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    private static ClusterConfig config(ClusterTest test, ClusterTestDefaults defaults) {
        Map<String, String> all = new HashMap<>();
        Map<Integer, Map<String, String>> each = new HashMap<>();
        Stream.of(defaults.serverProperties(), test.serverProperties()).flatMap(Arrays::stream).forEach(property ->
            (property.id() == -1 ? all : each.computeIfAbsent(property.id(), id -> new HashMap<>()))
                .put(property.key(), property.value()));
        Map<Feature, Short> features = new HashMap<>();
        for (ClusterFeature feature : test.features()) {
            features.put(feature.feature(), feature.version());
        }
        return ClusterConfig.defaultBuilder()
            .setTypes(Set.of(test.types().length == 0 ? defaults.types() : test.types()))
            .setBrokers(test.brokers() == 0 ? defaults.brokers() : test.brokers())
            .setControllers(test.controllers() == 0 ? defaults.controllers() : test.controllers())
            .setDisksPerBroker(test.disksPerBroker() == 0 ? defaults.disksPerBroker() : test.disksPerBroker())
            .setAutoStart(test.autoStart() == AutoStart.DEFAULT ? defaults.autoStart() : test.autoStart() == AutoStart.YES)
            .setBrokerSecurityProtocol(test.brokerSecurityProtocol())
            .setControllerSecurityProtocol(test.controllerSecurityProtocol())
            .setMetadataVersion(test.metadataVersion())
            .setServerProperties(all)
            .setPerServerProperties(each)
            .setFeatures(features)
            .build();
    }

    private static TestTemplateInvocationContext invocation(ClusterConfig config) {
        Cluster cluster = new Cluster(config);
        return new TestTemplateInvocationContext() {
            @Override
            public List<Extension> getAdditionalExtensions() {
                return List.of(
                    (BeforeEachCallback) context -> cluster.open(),
                    (AfterEachCallback) context -> cluster.close(),
                    new ParameterResolver() {
                        @Override
                        public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
                            return parameter.getParameter().getType() == ClusterInstance.class;
                        }

                        @Override
                        public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
                            return cluster;
                        }
                    });
            }
        };
    }
}
