// Package own exists for its go.mod and go.sum, which pin the clients whose own tests ./run runs.
package own

import (
	_ "github.com/IBM/sarama"
	_ "github.com/Shopify/toxiproxy/v2"
	_ "github.com/segmentio/kafka-go"
)
