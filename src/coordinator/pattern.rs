//! Regular expressions over names of topics and of transactions. Clients write RE2's syntax (RE2/J
//! in Kafka). The `regex` crate's syntax is a relative of it and is matched in linear time as well;
//! where the two differ, the expression is translated.

use regex::{Regex, RegexBuilder};

/// The most bytes that a compiled expression may take.
const SIZE_LIMIT: usize = 1 << 20;

/// A compiled expression. It matches whole names only.
#[derive(Debug)]
pub struct Pattern(Regex);

impl Pattern {
    /// Compiles `text`, or says why it is not valid.
    pub fn compile(text: &str) -> Result<Pattern, String> {
        let translated = translate(text);
        // Compiled alone first: `a)(b` is invalid, and the group around it would make it valid.
        build(&translated)?;
        build(&format!(r"\A(?:{translated})\z")).map(Pattern)
    }

    /// Whether all of `name` matches.
    pub fn is_match(&self, name: &str) -> bool {
        self.0.is_match(name)
    }
}

fn build(text: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(text).size_limit(SIZE_LIMIT).octal(true).build();
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "expression too large".to_owned(),
        // The last line says what is wrong; those before it show where.
        other => {
            let text = other.to_string();
            let last = text.lines().last().unwrap_or_default();
            last.trim_start_matches("error: ").to_owned()
        }
    })
}

/// Translates from RE2: `\Q...\E` quotes, `\C` is any byte, a brace that repeats nothing stands for
/// itself, and a class has no operators.
fn translate(text: &str) -> String {
    let mut translated = String::with_capacity(text.len());
    let mut rest = text;
    let mut in_class = false;
    while let Some(first) = rest.chars().next() {
        let mut taken = first.len_utf8();
        if let Some(quoted) = rest.strip_prefix(r"\Q") {
            let length = quoted.find(r"\E").unwrap_or(quoted.len());
            translated.push_str(&regex::escape(&quoted[..length]));
            taken = (2 + length + 2).min(rest.len());
        } else if rest.starts_with(r"\E") || rest.starts_with(r"\C") {
            translated.push_str(if rest.starts_with(r"\C") { "(?s:.)" } else { "" });
            taken = 2;
        } else if is_back_reference(rest) {
            // With one digit it would be an octal number here.
            translated.push_str(r"\8");
            taken = 2;
        } else if first == '\\' {
            taken += rest[1..].chars().next().map_or(0, char::len_utf8);
            translated.push_str(&rest[..taken]);
        } else if in_class {
            let (class, length) = class_item(rest);
            translated.push_str(&class);
            taken = length;
            in_class = first != ']';
        } else if first == '[' {
            let negated = rest[1..].starts_with('^');
            translated.push_str(if negated { "[^" } else { "[" });
            taken = 1 + usize::from(negated);
            // A bracket at the beginning belongs to the class.
            if rest[taken..].starts_with(']') {
                translated.push_str(r"\]");
                taken += 1;
            }
            in_class = true;
        } else if first == '{' && !is_repetition(rest) {
            translated.push_str(r"\{");
        } else {
            translated.push(first);
        }
        rest = &rest[taken..];
    }
    translated
}

/// The first item of a class, translated, and its length in the original.
fn class_item(rest: &str) -> (String, usize) {
    if rest.starts_with("[:")
        && let Some(end) = rest.find(":]")
    {
        return (rest[..end + 2].to_owned(), end + 2);
    }
    let first = rest.chars().next().expect("there is more");
    let is_operator = matches!(first, '[' | '&' | '~') || rest.starts_with("--");
    let escape = if is_operator { "\\" } else { "" };
    // In RE2, `a--b` contains a range from `a` to `-`.
    (format!("{escape}{first}"), first.len_utf8())
}

/// Whether the text begins with `\1` to `\7` and no other octal digit follows.
fn is_back_reference(rest: &str) -> bool {
    let is_octal = |c: Option<char>| c.is_some_and(|c| c.is_digit(8));
    let mut chars = rest.chars();
    chars.next() == Some('\\')
        && chars.next().is_some_and(|c| ('1'..='7').contains(&c))
        && !is_octal(chars.next())
}

/// Whether the text begins with `{3}`, `{3,}` or `{3,5}`.
fn is_repetition(rest: &str) -> bool {
    let Some((inside, _)) = rest[1..].split_once('}') else { return false };
    let (least, most) = inside.split_once(',').unwrap_or((inside, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !least.is_empty() && is_number(least) && is_number(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, matching: &[&str], other: &[&str]) {
        let compiled = Pattern::compile(pattern).unwrap();
        for name in matching {
            assert!(compiled.is_match(name), "{pattern} matches {name}");
        }
        for name in other {
            assert!(!compiled.is_match(name), "{pattern} does not match {name}");
        }
    }

    #[test]
    fn whole_names_match_in_re2s_syntax() {
        check("foo.*", &["foo", "foobar"], &["xfoo", "fo"]);
        check("foo|bar", &["foo", "bar"], &["foobar", "foox"]);
        check(r"\Qa.b\E.*", &["a.b", "a.bc"], &["axb"]);
        check(r"\Qa.b", &["a.b"], &["axb"]);
        check(r"a{2}", &["aa"], &["a{2}"]);
        check(r"a{,2}", &["a{,2}"], &["aa"]);
        check(r"[[:alpha:]]+", &["abc"], &["a1"]);
        check(r"[]a]", &["]", "a"], &["b"]);
        check(r"[^a]", &["b"], &["a"]);
        check(r"[a&&b]+", &["a&b"], &["c"]);
        check(r"[[a]+", &["[a"], &["b"]);
        check(r"(?i)FOO", &["foo"], &[]);
        check(r"(?P<name>a)", &["a"], &[]);
        check(r"\d+\.\w", &["12.x"], &["12x"]);
        check(r"\101", &["A"], &[]);
        check(r"\C+", &["abc"], &[""]);
        check("", &[""], &["a"]);
    }

    #[test]
    fn what_is_not_an_expression_is_refused() {
        let bad = ["(", "a)(b", "[a", "*a", r"\1", r"(?=a)", r"\", "x{1001}{1001}", "[b-a]"];
        for pattern in bad {
            assert!(Pattern::compile(pattern).is_err(), "{pattern}");
        }
    }
}
