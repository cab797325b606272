# Usage: bash npm.sh, in an empty directory.  Installs from the registry that npm is set up for.

export npm_config_fund=false npm_config_audit=false npm_config_update_notifier=false
export npm_config_loglevel=error
# By default this is below --prefix, where no file says which registry and certificates there are.
npm_config_globalconfig=$(npm config get globalconfig)
export npm_config_globalconfig

step init npm init --yes
step install npm install 'eslint@8.57.1' 'typescript@5.6.3'
step script node_modules/.bin/tsc --version
step lint bash -c 'echo "x = 1" >a.js && npx --no-install eslint --no-eslintrc a.js'
step ci npm ci
step offline npm ci --offline
step dedupe npm dedupe
step global npm install --global --prefix global 'semver@7.6.3'
step global-script global/bin/semver 1.2.3
step pack npm pack
step link bash -c 'mkdir -p linked && cd linked && npm init --yes && cd .. && npm install ./linked'
step uninstall npm uninstall eslint
step cache npm cache verify
digest modules node_modules -not -name .package-lock.json
