//! Names that were probably meant.

/// The name that was probably meant: one that differs only by a typo.
pub(in crate::policy) fn nearest<'n>(written: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let slips = match written.chars().count() {
        ..=2 => 0,
        3..=5 => 1,
        6..=8 => 2,
        _ => 3,
    };
    let distance = |name: &str| strsim::osa_distance(&written.to_lowercase(), &name.to_lowercase());
    let (name, least) = names.map(|name| (name, distance(name))).min_by_key(|(_, distance)| *distance)?;
    (least <= slips).then_some(name)
}
