# Usage: bash git.sh PYTHON [FILES], in an empty directory.  Goes through the life of a repository.

files=${2:-300}
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.org GIT_AUTHOR_DATE='2026-01-01T00:00:00Z'
export GIT_COMMITTER_NAME=A GIT_COMMITTER_EMAIL=a@example.org
export GIT_COMMITTER_DATE='2026-01-01T00:00:00Z' GIT_CONFIG_GLOBAL=/dev/null GIT_EDITOR=true

fill() {
    local number
    for number in $(seq "$files"); do
        mkdir -p "dir$((number % 10))"
        seq "$number" "$((number * 3))" >"dir$((number % 10))/file$number"
    done
    printf '#!/bin/sh\n' >script
    chmod +x script
    ln -s script link
    printf 'x' >$'a name with \n a newline and \xff'
}

changes() {
    local number
    for number in 1 2 3 4 5; do
        echo "$number" >>dir1/file1
        echo "$number" >"new$number"
        git add -A && git commit -qm "change $number" || return
    done
}

diverge() {
    git switch -qc topic HEAD~3 && echo topic >topic && git add -A && git commit -qm topic &&
        git mv dir2 moved && git commit -qm move
}

hook() {
    printf '#!/bin/sh\necho from-hook >ran\n' >.git/hooks/post-commit
    chmod +x .git/hooks/post-commit
    git commit -q --allow-empty -m hooked && test "$(cat ran)" = from-hook && rm ran .git/hooks/post-commit
}

bare_and_push() {
    git clone -q --bare . ../bare.git && git -C ../bare.git config receive.denyCurrentBranch ignore &&
        git push -q ../bare.git topic:pushed && git fetch -q ../bare.git pushed
}

worktree() {
    git worktree add -q ../tree main && echo tree >../tree/tree && git -C ../tree add -A &&
        git -C ../tree commit -qm tree && git worktree move ../tree ../tree2 &&
        git worktree remove ../tree2 && git worktree prune
}

submodule() {
    git -c protocol.file.allow=always submodule add -q "$PWD/../bare.git" sub &&
        git commit -qm submodule && git submodule status >/dev/null && git mv sub sub2
}

git_parallel() {
    local number pid status=0
    local -a pids=()
    for number in 1 2 3 4; do
        git -C ../clone branch "b$number" & pids+=($!)
        git -C ../clone hash-object -w --stdin <<<"$number" & pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid" || status=1; done
    return $status
}

step init git init -q -b main repository
cd repository || exit 1
step fill fill
step add git add -A
step commit git commit -qm first
step changes changes
step clean test -z "$(git status --porcelain)"
step diverge diverge
step rebase git rebase -q main
step merge git merge -q --no-ff -m merge main
step interactive git rebase -q -i --autosquash HEAD~2
step stash bash -c 'echo more >>script && git stash -q && git stash pop -q && git checkout -q script'
step hook hook
step clone git clone -q . ../clone
step clone-no-hardlinks git clone -q --no-hardlinks . ../clone2
step shared git clone -q --shared . ../clone3
step push bare_and_push
step worktree worktree
echo "head $(git rev-parse HEAD)"
step submodule submodule
step reset git reset -q --hard
step parallel git_parallel
step repack git repack -qad
step gc git gc -q --aggressive --prune=now
step fsck git fsck --strict --no-dangling
step fsmonitor git update-index --really-refresh
step untracked-cache git update-index --test-untracked-cache
step bundle git bundle create -q ../all.bundle --all
step archive bash -c 'git archive HEAD | tar -x -C "$(mktemp -d "$PWD/../XXXXXX")"'
step clean-clone test -z "$(git -C ../clone status --porcelain)"
step remove rm -rf ../clone ../clone2 ../clone3
