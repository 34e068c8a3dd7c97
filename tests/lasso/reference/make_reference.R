# Reference values for the Lasso, computed by R's glmnet.
#
#   Rscript tests/lasso/reference/make_reference.R [RELEASE]
#
# reads rows.csv beside this file and writes values.json. RELEASE is the folder of the released PluriHarms files;
# without it that case is left out. The released data itself is never written, only numbers computed from it.
#
# It needs R with glmnet and jsonlite. thresh = 1e-16 makes coordinate descent stop at rounding, not at glmnet's usual
# 1e-7, where coefficients are good to three digits only.

suppressPackageStartupMessages({
  library(glmnet)
  library(jsonlite)
})
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)))
release <- commandArgs(TRUE)[1]
glmnet.control(fdev = 0, devmax = 1)

path <- function(x, y, lambda) {
  fit <- glmnet(x, y, lambda = lambda, thresh = 1e-16, maxit = 1e9)
  list(lambda = fit$lambda, intercept = unname(fit$a0), coefficients = unname(as.matrix(fit$beta)),
       columns = colnames(x), lambda_max = glmnet(x, y)$lambda[1])
}

rows <- read.csv(file.path(here, "rows.csv"))
x <- as.matrix(rows[paste0("x", 1:8)])
lambda <- exp(seq(log(8), log(0.008), length.out = 40))
small <- path(x, rows$y, lambda)
cv <- cv.glmnet(x, rows$y, lambda = lambda, foldid = rows$fold + 1, thresh = 1e-16)
small <- c(small, list(cv_error = unname(cv$cvm), cv_se = unname(cv$cvsd), lambda_min = cv$lambda.min,
                       lambda_1se = cv$lambda.1se))
cases <- list(small = small)

if (!is.na(release)) {
  people <- read.csv(file.path(release, "annotations.csv"), check.names = FALSE)
  prompts <- read.csv(file.path(release, "prompts.csv"), check.names = FALSE)
  features <- grep("^(action_|effect_|value_topic_)", names(prompts), value = TRUE)
  ratings <- as.matrix(people[paste0("Rating_", prompts$Question_Index)])
  cell <- which(!is.na(ratings), arr.ind = TRUE)
  x <- scale(as.matrix(prompts[cell[, 2], features]))
  y <- drop(scale(ratings[cell]))
  cases$release <- path(x, y, c(0.1, 0.05, 0.02, 0.01, 0.00874))
}
made <- list(script = "tests/lasso/reference/make_reference.R", r = R.version.string,
             glmnet = as.character(packageVersion("glmnet")), thresh = 1e-16)
write(toJSON(list(made = made, cases = cases), digits = 15, auto_unbox = TRUE, pretty = 1, matrix = "rowmajor"),
      file.path(here, "values.json"))
