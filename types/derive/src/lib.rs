//! Derives for `spindle_types::keep`: how a value, or a state in its place, becomes bytes and comes back.
//!
//! `#[derive(Value)]` is for plain values, structs and enums, whose fields are all values. `#[derive(State)]` is for
//! structs that are made first, with their memory and what their configuration says, and then filled. Fields of a state
//! may say `#[keep(skip)]` (left as it was made), `#[keep(each)]` (a slice of states, of the same length), or
//! `#[keep(same)]` (an `Option` of a state, present or not as it was made). A state may say `#[keep(settle)]`: its
//! method `settle_kept(&mut self) -> Result<(), Unfit>` is called when it is filled, to look whether all leads somewhere.

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::quote;
use syn::{Attribute, Data, DeriveInput, Error, Fields, GenericParam, Index, parse_macro_input};

/// How a field is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Whole,
    Skip,
    Each,
    Same,
}

/// What an attribute says within `keep(...)`.
fn words(attributes: &[Attribute]) -> Result<Vec<String>, Error> {
    let mut words = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("keep")) {
        attribute.parse_nested_meta(|meta| {
            words.push(meta.path.require_ident()?.to_string());
            Ok(())
        })?;
    }
    Ok(words)
}

fn how(attributes: &[Attribute]) -> Result<How, Error> {
    match words(attributes)?.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Ok(How::Whole),
        ["skip"] => Ok(How::Skip),
        ["each"] => Ok(How::Each),
        ["same"] => Ok(How::Same),
        _ => Err(Error::new_spanned(&attributes[0], "one of skip, each and same")),
    }
}

/// The attributes that leave a field out of a build, so that what is generated is left out with it.
fn conditions(attributes: &[Attribute]) -> Tokens {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("cfg"))
        .map(|a| quote!(#a))
        .collect()
}

/// Derives `Value`, and `State` with it.
#[proc_macro_derive(Value, attributes(keep))]
pub fn value(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    value_of(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}

/// Derives `State`.
#[proc_macro_derive(State, attributes(keep))]
pub fn state(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    state_of(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}

/// The fields of a struct or a variant: names to bind, the pattern, and whether they are named.
fn bindings(fields: &Fields) -> (Vec<syn::Ident>, Tokens) {
    let names: Vec<_> = fields
        .iter()
        .enumerate()
        .map(|(at, field)| {
            field.ident.clone().unwrap_or_else(|| quote::format_ident!("field_{at}"))
        })
        .collect();
    let pattern = match fields {
        Fields::Named(_) => quote!({ #(#names),* }),
        Fields::Unnamed(_) => quote!(( #(#names),* )),
        Fields::Unit => quote!(),
    };
    (names, pattern)
}

fn value_of(input: &DeriveInput) -> Result<Tokens, Error> {
    let (name, text) = (&input.ident, input.ident.to_string());
    let (implementing, types, bounds) = input.generics.split_for_impl();
    if input.generics.params.iter().any(|param| matches!(param, GenericParam::Type(_))) {
        return Err(Error::new_spanned(&input.generics, "values have no type parameters"));
    }
    let (save, read, shape) = match &input.data {
        Data::Struct(data) => {
            let (names, pattern) = bindings(&data.fields);
            let types: Vec<_> = data.fields.iter().map(|field| &field.ty).collect();
            let texts: Vec<_> = names.iter().map(ToString::to_string).collect();
            (
                quote!(let Self #pattern = self; #(::spindle_types::keep::Value::save(#names, pen);)*),
                quote!(#(let #names = ::spindle_types::keep::Value::read(reader)?;)* ::core::result::Result::Ok(Self #pattern)),
                quote!(#(.field(#texts, <#types as ::spindle_types::keep::Value>::SHAPE))*),
            )
        }
        Data::Enum(data) => {
            let (mut save, mut read, mut shape) = (Tokens::new(), Tokens::new(), Tokens::new());
            for (number, variant) in (0_u8..).zip(&data.variants) {
                let (names, pattern) = bindings(&variant.fields);
                let types = variant.fields.iter().map(|field| &field.ty);
                let (ident, text) = (&variant.ident, variant.ident.to_string());
                save.extend(quote! {
                    Self::#ident #pattern => {
                        pen.u8(#number);
                        #(::spindle_types::keep::Value::save(#names, pen);)*
                    }
                });
                read.extend(quote! {
                    #number => {
                        #(let #names = ::spindle_types::keep::Value::read(reader)?;)*
                        ::core::result::Result::Ok(Self::#ident #pattern)
                    }
                });
                shape.extend(quote!(.word(#text) #(.shape(<#types as ::spindle_types::keep::Value>::SHAPE))*));
            }
            (
                quote!(match self { #save }),
                quote!(match reader.u8()? {
                    #read
                    _ => ::core::result::Result::Err(::spindle_types::keep::Unfit::new(#text, "a variant that there is not")),
                }),
                shape,
            )
        }
        Data::Union(_) => return Err(Error::new_spanned(name, "a union is no value")),
    };
    Ok(quote! {
        #[automatically_derived]
        impl #implementing ::spindle_types::keep::Value for #name #types #bounds {
            const SHAPE: ::spindle_types::keep::Shape = ::spindle_types::keep::Shape::of(#text) #shape;
            #[inline]
            fn save(&self, pen: &mut ::spindle_types::keep::Pen) { #save }
            #[inline]
            fn read(reader: &mut ::spindle_types::keep::Reader<'_>) -> ::core::result::Result<Self, ::spindle_types::keep::Unfit> { #read }
        }
        #[automatically_derived]
        impl #implementing ::spindle_types::keep::State for #name #types #bounds {
            const SHAPE: ::spindle_types::keep::Shape = <Self as ::spindle_types::keep::Value>::SHAPE;
            #[inline]
            fn save(&self, pen: &mut ::spindle_types::keep::Pen) { ::spindle_types::keep::Value::save(self, pen); }
            #[inline]
            fn load(&mut self, reader: &mut ::spindle_types::keep::Reader<'_>) -> ::core::result::Result<(), ::spindle_types::keep::Unfit> {
                *self = ::spindle_types::keep::Value::read(reader)?;
                ::core::result::Result::Ok(())
            }
        }
    })
}

fn state_of(input: &DeriveInput) -> Result<Tokens, Error> {
    let (name, text) = (&input.ident, input.ident.to_string());
    let (implementing, types, bounds) = input.generics.split_for_impl();
    let Data::Struct(data) = &input.data else {
        return Err(Error::new_spanned(name, "a state is a struct"));
    };
    let (mut save, mut load, mut shape) = (Tokens::new(), Tokens::new(), Tokens::new());
    for (at, field) in data.fields.iter().enumerate() {
        let how = how(&field.attrs)?;
        if how == How::Skip {
            continue;
        }
        let condition = conditions(&field.attrs);
        let member = match &field.ident {
            Some(ident) => syn::Member::Named(ident.clone()),
            None => syn::Member::Unnamed(Index::from(at)),
        };
        let (ty, label) = (&field.ty, quote!(#member).to_string());
        let (saved, loaded, shaped) = match how {
            How::Each => (
                quote!(::spindle_types::keep::save_each(&self.#member, pen);),
                quote!(::spindle_types::keep::load_each(&mut self.#member, reader)),
                quote!(<<#ty as ::spindle_types::keep::Several>::Item as ::spindle_types::keep::State>::SHAPE),
            ),
            How::Same => (
                quote!(::spindle_types::keep::save_same(&self.#member, pen);),
                quote!(::spindle_types::keep::load_same(&mut self.#member, reader)),
                quote!(<<#ty as ::spindle_types::keep::Several>::Item as ::spindle_types::keep::State>::SHAPE),
            ),
            _ => (
                quote!(::spindle_types::keep::State::save(&self.#member, pen);),
                quote!(::spindle_types::keep::State::load(&mut self.#member, reader)),
                quote!(<#ty as ::spindle_types::keep::State>::SHAPE),
            ),
        };
        save.extend(quote!(#condition { #saved }));
        load.extend(quote!(#condition { #loaded.map_err(|unfit| unfit.within(#text, #label))?; }));
        // What is kept in one build alone is no part of the shape.
        if condition.is_empty() {
            shape.extend(quote!(.field(#label, #shaped)));
        }
    }
    let check = match words(&input.attrs)?.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => quote!(::core::result::Result::Ok(())),
        ["settle"] => quote!(self.settle_kept()),
        _ => return Err(Error::new_spanned(name, "a state may say settle")),
    };
    Ok(quote! {
        #[automatically_derived]
        impl #implementing ::spindle_types::keep::State for #name #types #bounds {
            const SHAPE: ::spindle_types::keep::Shape = ::spindle_types::keep::Shape::of(#text) #shape;
            fn save(&self, pen: &mut ::spindle_types::keep::Pen) { #save }
            fn load(&mut self, reader: &mut ::spindle_types::keep::Reader<'_>) -> ::core::result::Result<(), ::spindle_types::keep::Unfit> {
                #load
                #check
            }
        }
    })
}
