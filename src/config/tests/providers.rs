//! Values that are stored elsewhere.

use crate::config::Config;
use crate::config::properties::load;
use crate::error::Result;

const PACKAGE: &str = "org.apache.kafka.common.config.provider.";

/// The configuration with the providers env, file and dir, and the settings `more`.
fn with(more: &[(&str, &str)]) -> Result<Config> {
    let classes = [
        ("env", "EnvVarConfigProvider"),
        ("file", "FileConfigProvider"),
        ("dir", "DirectoryConfigProvider"),
    ];
    let mut overrides = vec!["config.providers=env,file,dir".to_owned()];
    let class = |(name, class)| format!("config.providers.{name}.class={PACKAGE}{class}");
    overrides.extend(classes.map(class));
    overrides.extend(more.iter().map(|(name, value)| format!("{name}={value}")));
    let environment =
        [("RACK", "r1"), ("OTHER", "o")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    load(None, environment.into_iter(), &overrides).map(|(config, _)| config)
}

#[test]
fn values_stand_in_the_environment_in_files_and_in_directories() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().to_str().unwrap();
    std::fs::write(dir.path().join("rack.properties"), "a=1\nrack = r2\nodd\\:key=r4\n").unwrap();
    std::fs::write(dir.path().join("rack"), "r3").unwrap();
    std::fs::create_dir(dir.path().join("inner")).unwrap();
    let rack = |value: &str| {
        let value = value.replace("AT", at);
        with(&[("broker.rack", &value)]).map(|config| config.broker_rack.unwrap_or_default())
    };
    for (written, meant) in [
        ("${env:RACK}", "r1"),
        ("a-${env:RACK}-${file:AT/rack.properties:rack}", "a-r1-r2"),
        ("${file:AT/rack.properties:odd:key}", "r4"),
        ("${dir:AT:rack}", "r3"),
        ("no variable: ${RACK} $env:RACK}", "no variable: ${RACK} $env:RACK}"),
    ] {
        assert_eq!(rack(written).unwrap(), meant, "{written}");
    }
    for written in [
        "${env:NOBODY}",
        "${env:AT:RACK}",
        "${vault:AT:rack}",
        "${file:AT/rack.properties:nothing}",
        "${file:AT/nothing:rack}",
        "${file:rack}",
        "${dir:AT:nothing}",
        "${dir:AT:inner}",
        "${dir:AT/inner:../rack}",
        "${dir:AT:..}",
    ] {
        let refused = rack(written).unwrap_err().to_string();
        let written = written.replace("AT", at);
        assert!(refused.contains("broker.rack") && refused.contains(&written), "{refused}");
    }
}

#[test]
fn parameters_narrow_the_providers() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().to_str().unwrap();
    for inner in ["in", "out"] {
        std::fs::create_dir(dir.path().join(inner)).unwrap();
        std::fs::write(dir.path().join(inner).join("rack"), "rack=r").unwrap();
    }
    let check = |parameter: (&str, &str), value: &str, fits: bool| {
        let (parameter, value) =
            ((parameter.0, &*parameter.1.replace("AT", at)), value.replace("AT", at));
        let made = with(&[parameter, ("broker.rack", &value)]);
        assert_eq!(made.is_ok(), fits, "{parameter:?} {value}");
    };
    let pattern = ("config.providers.env.param.allowlist.pattern", "RA.*|X");
    check(pattern, "${env:RACK}", true);
    check(pattern, "${env:OTHER}", false);
    check(("config.providers.env.param.allowlist.pattern", "A"), "${env:RACK}", false);
    check(("config.providers.env.param.allowlist.pattern", "("), "r", false);
    for (provider, value) in [("file", "${file:AT/P/rack:rack}"), ("dir", "${dir:AT/P:rack}")] {
        let name = format!("config.providers.{provider}.param.allowed.paths");
        let allowed = (name.as_str(), "AT/in");
        check(allowed, &value.replace('P', "in"), true);
        check(allowed, &value.replace('P', "out"), false);
        check(allowed, &value.replace('P', "in/../out"), false);
        check((&name, "in"), "r", false);
        check((&name, "AT/none"), "r", false);
    }
    let own = ("config.providers.env.class", "com.example.Vault");
    assert!(with(&[own]).unwrap_err().to_string().contains("com.example.Vault"));
}
