import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/** The small job of tests/bench/peers/job.py on Kafka Streams: RocksDB, exactly once; settings as arguments. */
public final class KafkaStreamsPeer {
    private static final double[][] CENTROIDS = {
        {0.5, 0.7, 0.0}, {1.0, 1.4, 3.0}, {1.5, 2.0, 3.4}, {2.0, 2.6, 4.0},
        {2.4, 3.1, 4.6}, {2.8, 3.5, 5.1}, {3.3, 4.0, 5.7}, {3.9, 4.6, 6.2},
    };
    private static final String STORE = "customers";

    @JsonIgnoreProperties(ignoreUnknown = true)
    static final class Event {
        public String customer_id;
        public long occurred_at;
        public String action;
        public String order_id;
        public List<Line> items;
    }

    @JsonIgnoreProperties(ignoreUnknown = true)
    static final class Line {
        public double quantity;
        public double unit_price;
    }

    static final class State {
        double clicks;
        double views;
        double purchases;
        double money;
        long lastSeen;
        int segment = -1;

        boolean step(Event event) {
            if (event.order_id != null) {
                purchases++;
                for (Line line : event.items) {
                    money += line.quantity * line.unit_price;
                }
            } else if (event.action != null) {
                clicks++;
            } else {
                views++;
            }
            lastSeen = Math.max(lastSeen, event.occurred_at);
            int found = nearest(Math.log1p(clicks), Math.log1p(views), Math.log1p(money));
            boolean changed = segment != -1 && found != segment;
            segment = found;
            return changed;
        }
    }

    static int nearest(double x, double y, double z) {
        double best = Double.POSITIVE_INFINITY;
        int found = 0;
        for (int i = 0; i < CENTROIDS.length; i++) {
            double a = x - CENTROIDS[i][0];
            double b = y - CENTROIDS[i][1];
            double c = z - CENTROIDS[i][2];
            double distance = a * a + b * b + c * c;
            if (distance < best) {
                best = distance;
                found = i;
            }
        }
        return found;
    }

    static Serde<State> stateSerde() {
        return Serdes.serdeFrom(
            (topic, state) -> state == null ? null : ByteBuffer.allocate(44)
                .putDouble(state.clicks).putDouble(state.views).putDouble(state.purchases)
                .putDouble(state.money).putLong(state.lastSeen).putInt(state.segment).array(),
            (topic, bytes) -> {
                if (bytes == null) {
                    return null;
                }
                ByteBuffer in = ByteBuffer.wrap(bytes);
                State state = new State();
                state.clicks = in.getDouble();
                state.views = in.getDouble();
                state.purchases = in.getDouble();
                state.money = in.getDouble();
                state.lastSeen = in.getLong();
                state.segment = in.getInt();
                return state;
            });
    }

    static final class Segment extends ContextualProcessor<String, byte[], String, byte[]> {
        private final ObjectReader reader = new ObjectMapper().readerFor(Event.class);
        private KeyValueStore<String, State> customers;

        @Override
        public void init(ProcessorContext<String, byte[]> context) {
            super.init(context);
            customers = context.getStateStore(STORE);
        }

        @Override
        public void process(Record<String, byte[]> record) {
            Event event;
            try {
                event = reader.readValue(record.value());
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
            State state = customers.get(event.customer_id);
            if (state == null) {
                state = new State();
            }
            int before = state.segment;
            boolean changed = state.step(event);
            customers.put(event.customer_id, state);
            if (changed) {
                String change = "{\"customer_id\":\"" + event.customer_id + "\",\"from\":" + before + ",\"to\":"
                    + state.segment + ",\"at\":" + state.lastSeen + "}";
                context().forward(record.withValue(change.getBytes(StandardCharsets.UTF_8)));
            }
        }
    }

    public static void main(String[] arguments) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put("consumer.auto.offset.reset", "earliest");
        for (int i = 2; i < arguments.length; i++) {
            String[] pair = arguments[i].split("=", 2);
            settings.put(pair[0], pair[1]);
        }
        Topology topology = new Topology();
        topology
            .addSource("events", Serdes.String().deserializer(), Serdes.ByteArray().deserializer(), arguments[0])
            .addProcessor("segment", Segment::new, "events")
            .addStateStore(
                Stores.keyValueStoreBuilder(
                    Stores.persistentKeyValueStore(STORE), Serdes.String(), stateSerde()).withCachingEnabled(),
                "segment")
            .addSink("changes", arguments[1], Serdes.String().serializer(), Serdes.ByteArray().serializer(),
                "segment");
        KafkaStreams streams = new KafkaStreams(topology, settings);
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }
}
