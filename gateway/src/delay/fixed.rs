//! Arithmetic with fixed points, for delays: 32 binary places unless something else is said.

/// One.
pub(super) const ONE: i128 = 1 << 32;

/// The logarithm of e to the base 2: 1.442695040888963.
const LOG2_E: i128 = 6_196_328_019;

/// Binary places of a power.
const PLACES: u32 = 62;

/// 2 to the power of 1/2, 1/4, 1/8 and so on, with 62 binary places: each is the square root of the one
/// before, cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Powers([u128; 32]);

impl Powers {
    pub(super) fn new() -> Self {
        let mut power = 2_u128 << PLACES;
        Self([(); 32].map(|()| {
            power = (power << PLACES).isqrt();
            power
        }))
    }

    /// `value` times e to the power of `exponent`, cut to a whole number; `u64::MAX` where it is higher
    /// than that.
    pub(super) fn times_exp(&self, value: u64, exponent: i128) -> u64 {
        let binary = (exponent * LOG2_E) >> 32;
        let (whole, fraction) = (binary >> 32, binary & (ONE - 1));
        let mut power = 1_u128 << PLACES;
        for (bit, root) in (0..32).rev().zip(&self.0) {
            if fraction >> bit & 1 == 1 {
                power = (power * root) >> PLACES;
            }
        }
        let shift = i128::from(PLACES) - whole;
        let product = u128::from(value) * power;
        match u32::try_from(shift) {
            Ok(shift) if shift < 128 => u64::try_from(product >> shift).unwrap_or(u64::MAX),
            Ok(_) => 0,
            Err(_) => u64::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_e_are_right_to_nine_digits() {
        let powers = Powers::new();
        let table: [(i128, u64); 7] = [
            (0, 1_000_000_000),
            (ONE, 2_718_281_828),
            (-ONE, 367_879_441),
            (ONE / 2, 1_648_721_270),
            (-ONE / 2, 606_530_659),
            (5 * ONE, 148_413_159_102),
            (-20 * ONE, 2),
        ];
        for (exponent, wanted) in table {
            let found = powers.times_exp(1_000_000_000, exponent);
            let slack = 1 + wanted / 1_000_000_000 * 2;
            assert!(found.abs_diff(wanted) <= slack, "{exponent}: {found} for {wanted}");
        }
        assert_eq!(powers.times_exp(1_000_000_000, 100 * ONE), u64::MAX);
        assert_eq!(powers.times_exp(1_000_000_000, -100 * ONE), 0);
    }
}
