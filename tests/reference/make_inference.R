# Reference values of inference: Satterthwaite degrees of freedom (lmerTest), profile intervals (lme4), Wald intervals of
# variance components (nlme), likelihood-ratio tests (anova) and standard errors of predicted means (emmeans).
#
#   Rscript tests/reference/make_inference.R [RELEASE]
#
# writes tests/reference/values/inference.json from the small data sets in tests/reference/data, which make_reference.R
# writes, and, where RELEASE is given, from the released files by the frame that make_reference.R makes of them.

suppressPackageStartupMessages({
  library(lme4)
  library(lmerTest)
  library(jsonlite)
})

here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)))
# Its functions and settings, without its runs.
for (expression in parse(file.path(here, "make_reference.R"))) {
  if (identical(expression[[1]], quote(`<-`))) eval(expression)
}
small <- function(name) read.csv(file.path(here, "data", paste0(name, ".csv")), stringsAsFactors = TRUE)

# ---- Satterthwaite ----

satterthwaite <- function(formula, data, reml, control = CONTROLS$nlopt_bobyqa) {
  fit <- suppressWarnings(suppressMessages(lmerTest::lmer(formula, data, REML = reml, control = control)))
  table <- suppressWarnings(coef(summary(fit, ddf = "Satterthwaite")))
  message(if (reml) "REML " else "ML   ", substr(deparse1(formula), 1, 70))
  column <- function(name) setNames(as.list(table[, name]), rownames(table))
  list(reml = reml, formula = paste(deparse(formula, 500), collapse = ""), theta = getME(fit, "theta"),
       df = column("df"), se = column("Std. Error"), p = column("Pr(>|t|)"))
}

formulas <- list(
  sleepstudy = reaction ~ days + (1 | subject), penicillin = diameter ~ 1 + (1 | plate) + (1 | sample),
  pastes = strength ~ 1 + (1 | batch / cask), dyestuff = yield ~ 1 + (1 | batch),
  dyestuff2 = yield ~ 1 + (1 | batch), nested = y ~ x + (1 | a / b),
  unbalanced = y ~ x + z + w + (1 | person) + (1 | item), three = y ~ x + (1 | a) + (1 | b) + (1 | c),
  singular_one = y ~ x + (1 | g), singular_two = y ~ x + (1 | person) + (1 | item),
  offset = y ~ year + (1 | person) + (1 | item))

df_cases <- list()
for (name in names(formulas)) for (reml in c(FALSE, TRUE)) {
  df_cases[[paste0(name, if (reml) "_reml" else "_ml")]] <-
    c(list(data = name), satterthwaite(formulas[[name]], small(name), reml))
}

release_df <- list()
if (!is.na(release)) {
  made <- release_frame(release)
  complete <- made$frame[complete.cases(made$frame), ]
  crossed <- "(1 | annotator) + (1 | prompt)"
  sum_of <- function(columns, random) as.formula(paste("rating ~", paste(c("1", columns), collapse = " + "), "+", random))
  for (reml in c(FALSE, TRUE)) {
    end <- if (reml) "_reml" else "_ml"
    release_df[[paste0("null_crossed", end)]] <- satterthwaite(sum_of(NULL, crossed), made$frame, reml)
    release_df[[paste0("traits_prompt", end)]] <- satterthwaite(sum_of(made$traits, "(1 | prompt)"), complete, reml)
    release_df[[paste0("traits_crossed", end)]] <- satterthwaite(sum_of(made$traits, crossed), complete, reml)
  }
  release_df$features_crossed_reml <- satterthwaite(sum_of(made$features, crossed), made$frame, TRUE)
}

# ---- profile intervals (lme4 profiles the ML fit), and the same ends without its spline: roots of its own deviance ----

profiled <- function(formula, data) {
  fit <- lme4::lmer(formula, data, REML = FALSE, control = CONTROLS$bobyqa)
  profile <- suppressWarnings(profile(fit, delta = 0.25, signames = FALSE))
  interval <- suppressWarnings(confint(profile))
  message("profile ", deparse1(formula))
  lapply(setNames(rownames(interval), rownames(interval)), function(row) I(unname(interval[row, ])))
}
profile_cases <- lapply(setNames(nm = c("dyestuff", "penicillin", "pastes", "sleepstudy", "unbalanced", "dyestuff2")),
  function(name) list(data = name, formula = deparse1(formulas[[name]]), interval = profiled(formulas[[name]], small(name))))

# ---- Wald intervals on the log scale: nlme (one factor; its numerical Hessian of two is right to some 5 %) ----

wald <- function(fixed, random, data, method) {
  fit <- nlme::lme(fixed, data, random, method = method,
                   control = nlme::lmeControl(msMaxIter = 500, opt = "optim", reltol = 1e-12, msTol = 1e-12))
  found <- nlme::intervals(fit, which = "var-cov")
  c(lapply(found$reStruct, function(t) I(as.numeric(t["sd((Intercept))", c("lower", "est.", "upper")]))),
    list(Residual = I(as.numeric(found$sigma))))
}
wald_cases <- list()
for (method in c("ML", "REML")) {
  wald_cases[[paste0("dyestuff_", tolower(method))]] <- wald(yield ~ 1, ~ 1 | batch, small("dyestuff"), method)
  wald_cases[[paste0("sleepstudy_", tolower(method))]] <- wald(reaction ~ days, ~ 1 | subject, small("sleepstudy"), method)
}

# ---- comparisons ----

fit_of <- function(formula, data, reml = FALSE) lme4::lmer(formula, data, REML = reml, control = CONTROLS$bobyqa)
comparison <- function(...) {
  table <- anova(..., refit = FALSE)
  names(table) <- c("npar", "aic", "bic", "loglik", "deviance", "chisq", "chisq_df", "p_value")
  lapply(as.list(table), I)
}
d <- small("unbalanced")
compare_cases <- list(
  fixed = comparison(fit_of(y ~ 1 + (1 | person) + (1 | item), d), fit_of(y ~ x + (1 | person) + (1 | item), d),
                     fit_of(y ~ x + z + w + (1 | person) + (1 | item), d)),
  random_reml = comparison(fit_of(y ~ x + (1 | person), d, TRUE), fit_of(y ~ x + (1 | person) + (1 | item), d, TRUE)))

# ---- predicted means ----

fit <- lmerTest::lmer(y ~ x + w + (1 | person) + (1 | item), d, control = CONTROLS$bobyqa)
means <- as.data.frame(emmeans::emmeans(fit, ~ x + w, at = list(x = c(-1, 0, 2), w = c(0, 3)), lmer.df = "satterthwaite"))
prediction <- lapply(as.list(means), I)

made <- list(script = "tests/reference/make_inference.R", r = R.version.string,
             lme4 = as.character(packageVersion("lme4")), lmerTest = as.character(packageVersion("lmerTest")),
             nlme = as.character(packageVersion("nlme")), emmeans = as.character(packageVersion("emmeans")),
             date = format(Sys.Date()))
text <- toJSON(exact(list(made = made, df = df_cases, release_df = release_df, profile = profile_cases,
                          wald = wald_cases, compare = compare_cases, prediction = prediction)),
               auto_unbox = TRUE, pretty = 1, null = "null")
writeLines(gsub('"@([^"]*)"', "\\1", text), file.path(here, "values", "inference.json"))
