console.log(Object.keys(require("@confluentinc/kafka-javascript")))
