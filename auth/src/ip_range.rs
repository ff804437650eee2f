//! Ranges of addresses, e.g. `192.0.2.0/24`.

use std::net::IpAddr;

/// All addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpRange {
    address: IpAddr,
    /// How many bits of [`IpRange::address`] count.
    prefix_bits: u32,
}

impl IpRange {
    /// Reads `address` or `address/bits`.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let bits_max = bits_count(address);
        let prefix_bits = match bits {
            Some(bits) if !bits.bytes().all(|byte| byte.is_ascii_digit()) => return None,
            Some(bits) => bits.parse().ok()?,
            None => bits_max,
        };
        (prefix_bits <= bits_max).then_some(Self { address, prefix_bits })
    }

    /// Whether the bits that don't count are all zero, as Swift wants it.
    pub fn is_strict(&self) -> bool {
        Self { address: first_of(self.address, self.prefix_bits), ..*self } == *self
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        let (ours, address) = (self.address, address.to_canonical());
        bits_count(ours) == bits_count(address)
            && first_of(ours, self.prefix_bits) == first_of(address, self.prefix_bits)
    }

    /// How many bits all of its addresses begin with.
    pub fn prefix_bits(&self) -> u32 {
        self.prefix_bits
    }

    pub fn is_ipv4(&self) -> bool {
        self.address.is_ipv4()
    }
}

fn bits_count(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => u32::BITS,
        IpAddr::V6(_) => u128::BITS,
    }
}

/// The first address that has these first bits.
fn first_of(address: IpAddr, prefix_bits: u32) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(u32::BITS - prefix_bits).unwrap_or(0);
            IpAddr::V4((address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(u128::BITS - prefix_bits).unwrap_or(0);
            IpAddr::V6((address.to_bits() & mask).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(range: &str, address: &str, expected: bool) {
        assert_eq!(
            IpRange::parse(range).unwrap().contains(address.parse().unwrap()),
            expected,
            "{range} {address}"
        );
    }

    #[test]
    fn a_range_holds_what_begins_with_its_bits() {
        check("192.0.2.0/24", "192.0.2.255", true);
        check("192.0.2.0/24", "192.0.3.0", false);
        check("192.0.2.1", "192.0.2.1", true);
        check("192.0.2.1", "192.0.2.2", false);
        check("0.0.0.0/0", "255.255.255.255", true);
        check("::/0", "2001:db8::1", true);
        check("2001:db8::/32", "2001:db8:ffff::1", true);
        check("2001:db8::/32", "2001:db9::1", false);
    }

    #[test]
    fn an_address_of_the_other_kind_is_in_no_range_unless_it_is_mapped() {
        check("0.0.0.0/0", "::1", false);
        check("::/0", "127.0.0.1", false);
        check("127.0.0.0/8", "::ffff:127.0.0.1", true);
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in [
            "",
            "/",
            "1.2.3",
            "1.2.3.4/33",
            "1.2.3.4/",
            "1.2.3.4/-1",
            "1.2.3.4/+8",
            "::/129",
            "a",
            "1.2.3.4/8/8",
        ] {
            assert_eq!(IpRange::parse(text), None, "{text}");
        }
        assert!(IpRange::parse("1.2.3.0/24").unwrap().is_strict());
        assert!(!IpRange::parse("1.2.3.4/24").unwrap().is_strict());
    }

    proptest! {
        #[test]
        fn a_range_holds_its_own_address(address in any::<IpAddr>(), bits in 0..=32u32) {
            prop_assume!(address == address.to_canonical());
            let range = IpRange::parse(&format!("{address}/{bits}")).unwrap();
            prop_assert!(range.contains(address));
        }

        #[test]
        fn no_text_is_too_odd(text in ".{0,40}") {
            let _ = IpRange::parse(&text);
        }
    }
}
