# Reference values of ordered beta regressions, computed by glmmTMB.
#
#   Rscript tests/reference/make_ordered_beta.R [RELEASE]
#
# writes tests/reference/values/ordered_beta.json and tests/reference/data/ordered_beta.csv: 20 people rate 25 items,
# drawn from the model. RELEASE is the folder of the released PluriHarms files, of which the ratings of the first 40
# people are fitted; without it only the small data are done, and stored values of the release are kept. The released
# data itself is never written, only numbers computed from it.

suppressPackageStartupMessages({
  library(glmmTMB)
  library(jsonlite)
})

here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)))
release <- commandArgs(TRUE)[1]
target <- file.path(here, "values", "ordered_beta.json")

# ---- data drawn from the model: cutpoints -1.2 and 1.8, phi 4 ----

set.seed(20261127)
d <- expand.grid(item = 1:25, person = 1:20)
d$x <- round(rnorm(25), 3)[d$item]
d$w <- round(rnorm(20), 3)[d$person]
eta <- 0.2 + 0.7 * d$x - 0.4 * d$w + 0.6 * rnorm(20)[d$person] + 0.5 * rnorm(25)[d$item]
u <- runif(nrow(d))
zero <- plogis(-1.2 - eta)
one <- plogis(eta - 1.8)
inside <- rbeta(nrow(d), 4 * plogis(eta), 4 * plogis(-eta))
# To whole numbers on 0-100, none of them moved onto an end.
d$rating <- ifelse(u < zero, 0, ifelse(u > 1 - one, 100, pmin(99, pmax(1, round(100 * inside)))))
write.csv(d, file.path(here, "data", "ordered_beta.csv"), row.names = FALSE, quote = FALSE)

# ---- fits ----

# glmmTMB starts both cutpoints at zero, where the likelihood is not defined, and stops after 300 steps.
longer <- glmmTMBControl(optCtrl = list(iter.max = 1e4, eval.max = 1e4, rel.tol = 1e-14))

case <- function(data, fixed, groups) {
  data$y <- data$rating / 100
  for (g in groups) data[[g]] <- factor(data[[g]])
  formula <- as.formula(paste("y ~", paste(c(fixed, sprintf("(1 | %s)", groups)), collapse = " + ")))
  m <- suppressWarnings(glmmTMB(formula, data, ordbeta(), start = list(psi = c(-1, 1)), control = longer))
  modes <- if (length(groups)) lapply(ranef(m)$cond, function(t) unname(t[1:4, 1]))
  list(
    nobs = nobs(m), fixed = fixed, groups = as.list(groups),
    estimate = as.list(fixef(m)$cond), se = as.list(sqrt(diag(vcov(m)$cond))),
    cutpoints = unname(m$fit$parfull[names(m$fit$parfull) == "psi"]), phi = sigma(m),
    sd = if (length(groups)) lapply(VarCorr(m)$cond, function(v) unname(attr(v, "stddev"))),
    modes = modes, loglik = c(logLik(m)), df = attr(logLik(m), "df"), AIC = AIC(m), BIC = BIC(m))
}

of_release <- function(folder) {
  people <- read.csv(file.path(folder, "annotations.csv"))[1:40, ]
  prompts <- read.csv(file.path(folder, "prompts.csv"))
  long <- expand.grid(person = seq_len(nrow(people)), item = seq_len(nrow(prompts)))
  ratings <- as.matrix(people[paste0("Rating_", prompts$Question_Index)])
  long$rating <- ratings[cbind(long$person, long$item)]
  columns <- c("Harm_Level", "action_Child_Harm", "action_Privacy", "effect_Physical")
  long <- cbind(long, prompts[long$item, columns])
  long$person <- people$Participant_ID[long$person]
  long$item <- prompts$Question_Index[long$item]
  case(long[!is.na(long$rating), ], columns, c("person", "item"))
}

cases <- list(
  none = case(d, c("x", "w"), character()),
  person = case(d, c("x", "w"), "person"),
  crossed = case(d, c("x", "w"), c("person", "item")))
cases$release <- if (!is.na(release)) of_release(release) else if (file.exists(target)) fromJSON(target)$cases$release
write_json(
  list(versions = list(R = as.character(getRversion()), glmmTMB = as.character(packageVersion("glmmTMB"))),
       cases = cases),
  target, digits = 12, auto_unbox = TRUE, pretty = TRUE)
