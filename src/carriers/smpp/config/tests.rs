//! Settings: defaults, secrecy, limits.

use super::*;

fn config() -> SmppConfig {
    SmppConfig::new("acme", "localhost:2775", "me", SecretString::from("secret"))
}

#[test]
fn the_least_that_can_be_written_is_the_default() {
    let read: SmppConfig = serde_json::from_str(
        r#"{"name":"acme","address":"localhost:2775","system_id":"me","password":"secret"}"#,
    )
    .unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), serde_json::to_value(config()).unwrap());
    assert_eq!(read.validate(), Ok(()));
}

#[test]
fn the_password_is_neither_serialised_nor_shown() {
    assert!(!serde_json::to_string(&config()).unwrap().contains("secret"));
    assert!(!format!("{:?}", config()).contains("secret"));
}

#[test]
fn what_the_protocol_cannot_carry_is_refused() {
    type Change = fn(&mut SmppConfig);
    let cases: [(&str, Change); 9] = [
        ("system_id", |c| c.system_id = "a".repeat(16)),
        ("password", |c| c.password = SecretString::from("123456789")),
        ("system_type", |c| c.system_type = "é".into()),
        ("binds", |c| c.binds = 0),
        ("window", |c| c.window = Window::Fixed(WINDOW_MAX + 1)),
        ("response_timeout_ms", |c| c.response_timeout_ms = 0),
        ("rate_parts_per_s", |c| c.rate_parts_per_s = Some(f64::NAN)),
        ("rate_parts_per_s", |c| c.rate_parts_per_s = Some(0.0)),
        ("address", |c| c.address = "localhost".into()),
    ];
    for (field, change) in cases {
        let mut config = config();
        change(&mut config);
        let error = config.validate().expect_err(field).to_string();
        assert!(error.starts_with(field), "{field}: {error}");
    }
}
