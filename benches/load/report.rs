//! What a scenario found, for people and for programs.

use std::time::Duration;

use serde_json::{Map, Value, json};

/// Figures in the order in which they were found, and faults.
pub struct Report {
    title: String,
    figures: Vec<(String, Value, String)>,
    faults: Vec<String>,
}

impl Report {
    /// An empty one.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), figures: Vec::new(), faults: Vec::new() }
    }

    /// A figure, rounded to what it is worth; the unit stands last in the name.
    pub fn figure(&mut self, name: &str, value: f64) {
        let shown = match value.abs() {
            large if large >= 100.0 => format!("{value:.0}"),
            medium if medium >= 1.0 => format!("{value:.1}"),
            _ => format!("{value:.3}"),
        };
        let rounded: f64 = shown.parse().expect("a formatted number");
        self.figures.push((name.to_owned(), json!(rounded), shown));
    }

    /// Something that is not a number.
    pub fn note(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        self.figures.push((name.to_owned(), json!(value), value));
    }

    /// Percentiles of `times`, in milliseconds.
    pub fn percentiles(&mut self, name: &str, mut times: Vec<Duration>) {
        if times.is_empty() {
            return self.note(name, "nothing measured");
        }
        times.sort_unstable();
        let at = |share: f64| {
            // Nearest rank: the smallest time that at least this share did not exceed.
            let rank = (share * times.len() as f64).ceil() as usize;
            times[rank.clamp(1, times.len()) - 1].as_secs_f64() * 1_000.0
        };
        let found = [("p50", 0.50), ("p95", 0.95), ("p99", 0.99), ("max", 1.0)]
            .map(|(label, share)| (label, (at(share) * 10.0).round() / 10.0));
        let shown: Vec<_> = found.iter().map(|(label, ms)| format!("{label} {ms}")).collect();
        let object: Map<_, _> =
            found.iter().map(|(label, ms)| ((*label).to_owned(), json!(ms))).collect();
        self.figures.push((format!("{name}_ms"), Value::Object(object), shown.join("  ")));
    }

    /// Something that must not be: the program then ends with 1.
    pub fn fault(&mut self, fault: impl Into<String>) {
        self.faults.push(fault.into());
    }

    /// Whether a fault was found.
    pub fn failed(&self) -> bool {
        !self.faults.is_empty()
    }

    /// Prints it, as JSON also if `json`.
    pub fn print(&self, json: bool) {
        if json {
            let mut object = Map::new();
            object.insert("scenario".to_owned(), json!(self.title));
            for (name, value, _) in &self.figures {
                object.insert(name.clone(), value.clone());
            }
            object.insert("faults".to_owned(), json!(self.faults));
            println!("{}", Value::Object(object));
            return;
        }
        println!("\n{}", self.title);
        for (name, _, shown) in &self.figures {
            println!("  {name:<34} {shown}");
        }
        for fault in &self.faults {
            println!("  FAULT: {fault}");
        }
    }
}
