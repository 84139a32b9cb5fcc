//! Rows with the same fields as a type of the model.

/// Defines such a row with both conversions. Types whose rows differ, for example by a list in another table, convert
/// by hand.
macro_rules! row {
    ($(#[$meta:meta])* $row:ident: $model:ident { $($field:ident: $type:ty),+ $(,)? }) => {
        $(#[$meta])*
        struct $row { $($field: $type),+ }

        impl From<&$model> for $row {
            fn from(model: &$model) -> Self {
                Self { $($field: Clone::clone(&model.$field)),+ }
            }
        }

        impl From<$row> for $model {
            fn from(row: $row) -> Self {
                Self { $($field: row.$field),+ }
            }
        }
    };
}

pub(super) use row;
