//! The types, names and default values of fields, as code.
use crate::Dialect;
use crate::schema::Field;

pub fn field_type(field: &Field, dialect: Dialect) -> String {
    let of = element_type(field, dialect);
    let plain = if field.array { format!("Vec<{of}>") } else { of.to_string() };
    if field.is_optional() { format!("Option<{plain}>") } else { plain }
}

fn element_type(field: &Field, dialect: Dialect) -> &str {
    match (dialect, field.entity.as_deref()) {
        (Dialect::Crate, Some("brokerId")) => return "BrokerId",
        (Dialect::Crate, Some("groupId")) => return "GroupId",
        (Dialect::Crate, Some("producerId")) => return "ProducerId",
        (Dialect::Crate, Some("topicName")) => return "TopicName",
        (Dialect::Crate, Some("transactionalId")) => return "TransactionalId",
        _ => {}
    }
    match field.of.as_str() {
        "int8" => "i8",
        "int16" => "i16",
        "uint16" => "u16",
        "int32" => "i32",
        "uint32" => "u32",
        "int64" => "i64",
        "float64" => "f64",
        "uuid" => "Uuid",
        "string" if dialect == Dialect::Crate => "StrBytes",
        "string" => "String",
        "bytes" | "records" => "Bytes",
        other => other,
    }
}

pub fn default_value(field: &Field, dialect: Dialect) -> String {
    let default = field.default.as_deref();
    // As in Kafka, a nullable field is null by default only if the schema says so. The exception is
    // a field of records.
    if field.is_optional()
        && (default == Some("null") || (default.is_none() && field.of == "records"))
    {
        return "None".to_string();
    }
    let of = element_type(field, dialect);
    let value = if field.array {
        format!("Vec::<{of}>::new()")
    } else {
        match (field.of.as_str(), default) {
            ("bool", default) => matches!(default, Some("true" | "True")).to_string(),
            ("string", None) => format!("{of}::default()"),
            ("string", Some(text)) => format!("{of}::from({text:?})"),
            ("bytes" | "records", _) => "Bytes::new()".to_string(),
            ("uuid", _) => "Uuid::nil()".to_string(),
            ("float64", _) => "0.0".to_string(),
            (structure, _) if field.is_struct() => format!("{structure}::default()"),
            (_, default) if field.entity.is_some() => {
                format!("{of}::from({})", default.unwrap_or("0"))
            }
            (_, default) => default.unwrap_or("0").to_string(),
        }
    };
    if field.is_optional() { format!("Some({value})") } else { value }
}

/// The field's name as in kafka-protocol.
pub fn field_name(field: &Field) -> String {
    let name = snake_case(&field.name);
    if matches!(name.as_str(), "type" | "match") { format!("_{name}") } else { name }
}

pub fn snake_case(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (place, letter) in letters.iter().enumerate() {
        let before = place.checked_sub(1).map(|place| letters[place]);
        let starts = before.is_some_and(|before| {
            let after = letters.get(place + 1).copied().unwrap_or('A');
            !before.is_uppercase() || (before.is_uppercase() && after.is_lowercase())
        });
        if letter.is_uppercase() && starts {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}
