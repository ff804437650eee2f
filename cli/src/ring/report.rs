//! A ring in words and figures.

use std::fmt::Write as _;

use martlet_ring::{Balance, Dispersion, Movement, Ring};

/// The devices, how evenly the replicas lie on them, and how well failure domains are used.
pub(crate) fn ring(ring: &Ring) -> String {
    let balance = Balance::of(ring);
    let mut text = format!(
        "Version {}: {} partitions, {} replicas, {} devices\n\n",
        ring.version(),
        ring.partition_count(),
        ring.replicas(),
        ring.devices().len()
    );
    text.push_str("device   node   zone   weight   replicas      fair   deviation   address\n");
    for (device, load) in ring.devices().iter().zip(&balance.devices) {
        // Writing to a string doesn't fail.
        let _ = writeln!(
            text,
            "{:>6} {:>6} {:>6} {:>8} {:>10} {:>9.1} {:>11} {:>2}{}",
            device.id.0,
            device.node.0,
            device.zone.0,
            device.weight,
            load.replicas,
            load.fair,
            percent(load.deviation()),
            "",
            device.address
        );
    }
    let _ = writeln!(
        text,
        "\nBalance: {} to {} of the fair shares.",
        percent(balance.below_max()),
        percent(balance.above_max())
    );
    text.push_str(&dispersion(&Dispersion::of(ring)));
    text
}

/// What a change moves.
pub(crate) fn movement(previous: &Ring, movement: &Movement) -> String {
    let mut text = if movement.moves.is_empty() {
        format!("Against version {}, nothing moves.\n", previous.version())
    } else {
        let of_ideal = movement
            .of_ideal()
            .map_or_else(String::new, |factor| format!(", {factor:.2} of what any ring would have to move"));
        format!(
            "Against version {}, {} of {} replicas move ({:.1} %){of_ideal}.\n",
            previous.version(),
            movement.moves.len(),
            movement.replicas,
            100.0 * movement.of_all()
        )
    };
    if movement.unsettled > 0 {
        let _ = writeln!(
            text,
            "{} replicas are left for `martlet ring rebalance`, once these have moved.",
            movement.unsettled
        );
    }
    text
}

fn dispersion(dispersion: &Dispersion) -> String {
    if dispersion.is_perfect() {
        return "Dispersion: every partition uses as many zones and nodes as it can.\n".to_owned();
    }
    format!(
        "Dispersion: of {} partitions, {} have more replicas in a zone than they need, and {} on a node.\n",
        dispersion.partitions, dispersion.sharing_zone, dispersion.sharing_node
    )
}

fn percent(part: f64) -> String {
    if part.is_finite() { format!("{:+.1} %", 100.0 * part) } else { "to drain".to_owned() }
}
