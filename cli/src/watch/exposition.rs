//! Figures with names, in Prometheus' text format.

use std::fmt;

use martlet_meter::Spread;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, prometheus_text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

pub(crate) use prometheus_client::encoding::prometheus_text::CONTENT_TYPE;

const MICROS_IN_A_SECOND: f64 = 1_000_000.0;

/// Names of labels and their values.
pub(super) type Labels = Vec<(&'static str, String)>;

/// Figures by their names.
#[derive(Debug, Default)]
pub(super) struct Exposition(Vec<Family>);

/// Figures that have a name in common.
#[derive(Debug)]
struct Family {
    name: &'static str,
    help: &'static str,
    figures: Figures,
}

#[derive(Debug)]
enum Figures {
    Counters(Vec<(Labels, u64)>),
    /// A counter of time.
    Seconds(f64),
    Gauges(Vec<(Labels, f64)>),
    Histograms(Vec<(Labels, Spread, Scale)>),
}

/// In what a histogram was measured, and in what it is shown.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scale {
    /// As it is.
    Plain,
    /// Measured in microseconds, shown in seconds.
    Seconds,
}

impl Exposition {
    /// `_total` is added to the name.
    pub(super) fn counters(&mut self, name: &'static str, help: &'static str, counters: Vec<(Labels, u64)>) {
        self.0.push(Family { name, help, figures: Figures::Counters(counters) });
    }

    pub(super) fn counter(&mut self, name: &'static str, help: &'static str, count: u64) {
        self.counters(name, help, vec![(Labels::new(), count)]);
    }

    /// A counter of seconds; `_total` is added to the name.
    pub(super) fn seconds(&mut self, name: &'static str, help: &'static str, seconds: f64) {
        self.0.push(Family { name, help, figures: Figures::Seconds(seconds) });
    }

    pub(super) fn gauges(&mut self, name: &'static str, help: &'static str, gauges: Vec<(Labels, f64)>) {
        self.0.push(Family { name, help, figures: Figures::Gauges(gauges) });
    }

    pub(super) fn gauge(&mut self, name: &'static str, help: &'static str, level: f64) {
        self.gauges(name, help, vec![(Labels::new(), level)]);
    }

    pub(super) fn histograms(
        &mut self,
        (name, help, scale): (&'static str, &'static str, Scale),
        spreads: Vec<(Labels, Spread)>,
    ) {
        let spreads = spreads.into_iter().map(|(labels, spread)| (labels, spread, scale)).collect();
        self.0.push(Family { name, help, figures: Figures::Histograms(spreads) });
    }

    pub(super) fn render(self) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        // A string takes whatever is written to it.
        let _: fmt::Result = prometheus_text::encode(&mut text, &registry);
        text
    }
}

impl Collector for Exposition {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        // A family without figures would be a headline over nothing.
        for family in self.0.iter().filter(|family| !family.figures.is_empty()) {
            family.figures.encode(encoder.encode_descriptor(
                family.name,
                family.help,
                None,
                family.figures.kind(),
            )?)?;
        }
        Ok(())
    }
}

impl Figures {
    fn kind(&self) -> MetricType {
        match self {
            Self::Counters(_) | Self::Seconds(_) => MetricType::Counter,
            Self::Gauges(_) => MetricType::Gauge,
            Self::Histograms(_) => MetricType::Histogram,
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Counters(figures) => figures.is_empty(),
            Self::Seconds(_) => false,
            Self::Gauges(figures) => figures.is_empty(),
            Self::Histograms(figures) => figures.is_empty(),
        }
    }

    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        match self {
            Self::Counters(counters) => counters.iter().try_for_each(|(labels, count)| {
                labelled(&mut encoder, labels, |one| one.encode_counter::<NoLabelSet, _, u64>(count, None))
            }),
            Self::Seconds(seconds) => encoder.encode_counter::<NoLabelSet, _, u64>(seconds, None),
            Self::Gauges(gauges) => gauges.iter().try_for_each(|(labels, level)| {
                labelled(&mut encoder, labels, |one| one.encode_gauge(level))
            }),
            Self::Histograms(histograms) => histograms.iter().try_for_each(|(labels, spread, scale)| {
                labelled(&mut encoder, labels, |one| encode_spread(one, spread, *scale))
            }),
        }
    }
}

/// Without labels there are no braces around them either.
fn labelled(
    encoder: &mut MetricEncoder<'_>,
    labels: &Labels,
    encode: impl FnOnce(&mut MetricEncoder<'_>) -> fmt::Result,
) -> fmt::Result {
    if labels.is_empty() { encode(encoder) } else { encode(&mut encoder.encode_family(labels)?) }
}

#[expect(clippy::cast_precision_loss, reason = "figures are shown to people")]
fn encode_spread(encoder: &mut MetricEncoder<'_>, spread: &Spread, scale: Scale) -> fmt::Result {
    let shown = |value: u64| match scale {
        Scale::Plain => value as f64,
        Scale::Seconds => value as f64 / MICROS_IN_A_SECOND,
    };
    let below = spread.below.iter().map(|(bound, count)| (shown(*bound), *count));
    let buckets: Vec<_> = below.chain([(f64::INFINITY, spread.above)]).collect();
    encoder.encode_histogram::<NoLabelSet>(shown(spread.sum), spread.count(), &buckets, None)
}

#[cfg(test)]
mod tests {
    use martlet_meter::Histogram;

    use super::*;

    #[test]
    fn figures_read_as_prometheus_writes_them() {
        let mut exposition = Exposition::default();
        exposition.counter("martlet_eggs", "Eggs laid", 3);
        exposition.gauges("martlet_nests", "Nests", vec![(vec![("tree", "a \"tall\" one".to_owned())], 2.0)]);
        exposition.gauges("martlet_hawks", "Hawks", Vec::new());
        let histogram = Histogram::new(&[500_000, 1_000_000]);
        histogram.record(250_000);
        histogram.record(2_000_000);
        let flights = vec![(vec![("wing", "left".to_owned())], histogram.spread())];
        exposition.histograms(("martlet_flight_seconds", "Flights", Scale::Seconds), flights);
        assert_eq!(
            exposition.render(),
            "# HELP martlet_eggs_total Eggs laid\n\
             # TYPE martlet_eggs_total counter\n\
             martlet_eggs_total 3\n\
             # HELP martlet_nests Nests\n\
             # TYPE martlet_nests gauge\n\
             martlet_nests{tree=\"a \\\"tall\\\" one\"} 2.0\n\
             # HELP martlet_flight_seconds Flights\n\
             # TYPE martlet_flight_seconds histogram\n\
             martlet_flight_seconds_bucket{wing=\"left\",le=\"0.5\"} 1\n\
             martlet_flight_seconds_bucket{wing=\"left\",le=\"1\"} 1\n\
             martlet_flight_seconds_bucket{wing=\"left\",le=\"+Inf\"} 2\n\
             martlet_flight_seconds_sum{wing=\"left\"} 2.25\n\
             martlet_flight_seconds_count{wing=\"left\"} 2\n"
        );
    }
}
