// Package own exists for its go.mod and go.sum, which pin the franz-go whose own tests ./run runs.
package own

import _ "github.com/twmb/franz-go/pkg/kgo"
